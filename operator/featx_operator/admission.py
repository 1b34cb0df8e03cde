"""The quota of each namespace, and which runs claim it: from watch events, plans and lists on demand.

Everything here can be derived again from resources, pods and quotas, so nothing is lost with the process. A plan and
what it claims are one step of the event loop: no two runs are let in by the same free room.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace

from featx_api.contract import DRIVER
from featx_api.status import FeatureExtractionStatus
from pydantic import ValidationError

from featx_operator.cluster import quotas
from featx_operator.cluster.transport import ApiServer
from featx_operator.decisions.plan import is_finished
from featx_operator.decisions.policies.quota import claim_of, is_held, is_waiting
from featx_operator.decisions.policies.workload import queue_name
from featx_operator.decisions.room import turns
from featx_operator.decisions.run import CreateAttempt, Plan
from featx_operator.objects import Body, Key, owner_from, resource_of, status_of
from featx_operator.settings import Settings
from featx_operator.state.observed import Observed
from featx_operator.state.quotas import Claim, Limits, Missing, Quota, QuotaView
from featx_operator.state.store import Store

FRESH_SECONDS = 1.0  # of a list of quotas
NONE_SECONDS = 5.0  # the same if there were none
QUIET_SECONDS = 1.0  # without news of an earlier run: all of them are known
LONGEST_START_SECONDS = 30.0


@dataclass(frozen=True)
class _Lists:
    """A namespace's quotas as of a moment, and the pods that existed before it: the quotas count them."""

    quotas: tuple[Quota, ...]
    limits: tuple[Limits, ...]
    counted: frozenset[str]
    at: float

    def is_fresh(self, now: float) -> bool:
        return now - self.at < (FRESH_SECONDS if self.quotas or self.limits else NONE_SECONDS)


@dataclass(frozen=True)
class _Entry:
    """A run's claim.

    Attributes:
        claim: The claim.
        driver: Uid of its recorded driver, or empty.
        attempt: The attempt that it is about.
        version: Of the resource that it was derived from.
        creating: Whether its driver is being created: no watch event takes the claim away.
    """

    claim: Claim
    driver: str
    attempt: int
    version: int
    creating: bool


class Admission:
    """Who claims the quota of each namespace. Use it from one event loop only."""

    def __init__(
        self, api: ApiServer, store: Store, settings: Settings, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._api = api
        self._store = store
        self._settings = settings
        self._monotonic = monotonic
        self._entries: defaultdict[str, dict[str, _Entry]] = defaultdict(dict)  # by namespace and name
        self._lists: dict[str, _Lists] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._started = self._last_news = monotonic()
        self._known = False

    async def refresh(self, namespace: str) -> None:
        """Lists the quotas of a namespace again if the last list is too old.

        Raises:
            ApiError: They can't be listed.
        """
        async with self._locks[namespace]:
            last = self._lists.get(namespace)
            if last and last.is_fresh(self._monotonic()):
                return
            now, counted = self._monotonic(), self._pods(namespace)
            listed, limits = await asyncio.to_thread(quotas.read, self._api, namespace)
            self._lists[namespace] = _Lists(listed, limits, counted, now)

    def outdated(self, namespace: str) -> None:
        """Has the quotas of a namespace listed again: the API server knows better."""
        self._lists.pop(namespace, None)

    def add_to(self, observed: Observed, body: Body) -> Observed:
        """Adds the quotas of a run's namespace and the claims of its other runs, as of now, if it has no driver yet."""
        owner = owner_from(body)
        lists = self._lists.get(owner.key.namespace)
        if lists is None or not (lists.quotas or lists.limits) or (body.get("status") or {}).get(DRIVER):
            return replace(observed, quota=None)
        others = tuple(
            replace(entry.claim, missing=self._missing(entry, lists)) if entry.claim.held else entry.claim
            for entry in self._entries[owner.key.namespace].values()
            if entry.claim.owner != owner
        )
        return replace(observed, quota=QuotaView(lists.quotas, lists.limits, others, self.all_known()))

    def record(self, body: Body, plan: Plan) -> None:
        """Stores what a run claims by its plan."""
        creating = any(isinstance(action, CreateAttempt) for action in plan.actions)
        self._put(body, plan.status, creating)

    def put(self, body: Body) -> None:
        """Stores what a run claims by its status, from a watch."""
        owner = owner_from(body)
        entry = self._entries[owner.key.namespace].get(owner.key.name)
        if entry and entry.claim.owner == owner and (entry.creating or entry.version >= _version(body)):
            return
        status = status_of(body)
        if entry is None and (is_held(status) or self._waits(body, status)):  # of an earlier operator
            self._last_news = self._monotonic()
        self._put(body, status, creating=False)

    def drop(self, key: Key, uid: str | None = None) -> None:
        """Removes a run that is gone, unless its name belongs to another uid by now."""
        entry = self._entries[key.namespace].get(key.name)
        if entry and uid in (None, entry.claim.owner.uid):
            del self._entries[key.namespace][key.name]

    def turns(self, namespace: str) -> list[Key]:
        """The runs of a namespace that wait for quota and whose turn it is."""
        waiting = [entry.claim for entry in self._entries[namespace].values() if not entry.claim.held]
        lists = self._lists.get(namespace)
        if not waiting or lists is None:
            return []
        return [claim.owner.key for claim in turns(waiting, lists.quotas, lists.limits)]

    def all_known(self) -> bool:
        """Whether the runs of all namespaces are known, as far as can be told some time after the start."""
        now = self._monotonic()
        quiet = now - self._last_news >= QUIET_SECONDS
        self._known = self._known or quiet or now - self._started >= LONGEST_START_SECONDS
        return self._known

    def _put(self, body: Body, status: FeatureExtractionStatus, creating: bool) -> None:
        owner, version = owner_from(body), _version(body)
        claims = creating or is_held(status) or self._waits(body, status)
        try:
            claim = claim_of(resource_of(body), status, self._settings) if claims and not is_finished(status) else None
        except (ValidationError, KeyError):  # rejected, or too large to be stored
            claim = None
        if claim is None:
            self.drop(owner.key, owner.uid)
            return
        driver = status.driver.pod_uid if status.driver else ""
        claim = replace(claim, held=claim.held or creating)
        self._entries[owner.key.namespace][owner.key.name] = _Entry(
            claim, driver, max(status.attempt, 1), version, creating
        )

    def _waits(self, body: Body, status: FeatureExtractionStatus) -> bool:
        """Whether a run waits for a ResourceQuota, and not in a queue of Kueue."""
        queued = self._settings.kueue and queue_name(body["metadata"], self._settings)
        return is_waiting(status) and not queued

    def _missing(self, entry: _Entry, lists: _Lists) -> Missing:
        """What of a held gang the listed quotas do not count."""
        owner, executors = entry.claim.owner, entry.claim.gang.executors
        uid = entry.driver or self._store.created(owner).get(entry.attempt, "")
        pods = Observed(self._store.pods(owner))
        driver = pods.driver(uid)
        if driver is None:
            return Missing(1, executors, 1)
        if driver.ended:
            return Missing(0, 0, 0)
        absent = 0 if uid in lists.counted else 1
        present = sum(pod.uid in lists.counted for pod in pods.executors(driver))
        return Missing(absent, max(0, executors - present), absent)

    def _pods(self, namespace: str) -> frozenset[str]:
        return frozenset(
            pod.uid for entry in self._entries[namespace].values() for pod in self._store.pods(entry.claim.owner)
        )


def _version(body: Body) -> int:
    return int(body["metadata"].get("resourceVersion") or 0)
