"""Reconciles one schedule: plan, start and delete runs until there is nothing left to do; then one status write.

Beside `reconcile`, which knows nothing of schedules: a scheduled run is a run like any other.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from featx_api.schedule import SCHEDULE_KIND, FeatureExtractionSchedule, FeatureExtractionScheduleStatus

from featx_operator import scheduled_manifests
from featx_operator.cluster import events, schedules
from featx_operator.cluster.transport import ApiError, ApiServer
from featx_operator.decisions.schedule import DeleteRun, StartRun, plan_schedule, status_of
from featx_operator.decisions.schedule_events import schedule_events
from featx_operator.objects import Body, Key, Owner, key_of, owner_from
from featx_operator.settings import Settings
from featx_operator.state.observed import Refusal
from featx_operator.state.scheduled import ScheduledRun, ScheduleStore

logger = logging.getLogger(__name__)

MAX_PASSES = 8
REQUEUE_SECONDS = 1.0
RELIST_SECONDS = 300.0  # at most this long until a run whose event a watch lost is noticed


class Scheduler:
    """Starts and deletes the runs of schedules. Workers never call it concurrently for the same key.

    Args:
        api: The API server.
        store: What the watches deliver.
        settings: The operator's.
        is_leader: Whether this replica may change anything.
        clock: The time, in UTC.
    """

    def __init__(
        self,
        api: ApiServer,
        store: ScheduleStore,
        settings: Settings,
        is_leader: Callable[[], bool],
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._api = api
        self._store = store
        self._settings = settings
        self._is_leader = is_leader
        self._clock = clock or (lambda: datetime.now(UTC))
        self._listed_at: dict[Owner, float] = {}

    async def reconcile(self, key: Key) -> float | None:
        """Reconciles one schedule; returns the seconds until the next reconcile, or None to wait for an event."""
        fresh, refusal = False, None
        for _ in range(MAX_PASSES):
            body = await self._read(key)
            if body is None:
                self._listed_at = {owner: at for owner, at in self._listed_at.items() if owner.key != key}
                return None
            owner = owner_from(body)
            fresh = await self._list_if_due(owner) or fresh
            runs = self._store.runs(owner)
            decision = plan_schedule(body, runs, self._clock(), refusal)
            if not self._is_leader():
                return REQUEUE_SECONDS
            if decision.actions and not fresh:  # a watch may lag behind what another replica has started
                fresh = await self._list_if_due(owner, at_once=True)
            elif decision.actions:
                refusal = await self._act(body, owner, decision.actions)
            elif await self._write_status(body, decision.status, runs):
                return decision.requeue_after
        return REQUEUE_SECONDS

    async def report(self, key: Key, error: Exception) -> None:
        """Reports an error that keeps coming: in the log only, by its kind, since its text may hold data."""
        logger.warning("%s %s can't be reconciled: %s", SCHEDULE_KIND, key, type(error).__name__)

    async def _read(self, key: Key) -> Body | None:
        """The schedule; from the API server if it is too large to be stored."""
        body = self._store.schedule(key)
        return body if body is None or "spec" in body else await self._read_again(key)

    async def _read_again(self, key: Key) -> Body | None:
        body = await asyncio.to_thread(schedules.get, self._api, key)
        if body is None:
            self._store.drop_schedule(key)
        else:
            self._store.put_schedule(body)
        return body

    async def _list_if_due(self, owner: Owner, at_once: bool = False) -> bool:
        """Replaces what the watch delivered of a schedule's runs by a list; returns whether it did."""
        last = self._listed_at.get(owner)
        if not at_once and last is not None and time.monotonic() - last < RELIST_SECONDS:
            return False
        started = time.monotonic()
        self._store.replace_runs(owner, await asyncio.to_thread(lambda: list(schedules.runs(self._api, owner))))
        self._listed_at[owner] = started
        return True

    async def _act(self, body: Body, owner: Owner, actions: tuple[StartRun | DeleteRun, ...]) -> Refusal | None:
        """Carries actions out; returns why a run could not be created."""
        refusal = None
        for action in actions:
            logger.info("%s %s: %s", SCHEDULE_KIND, owner.key, action)
            if isinstance(action, DeleteRun):
                await asyncio.to_thread(schedules.delete_run, self._api, owner.key.namespace, action.name, action.uid)
                continue
            schedule = FeatureExtractionSchedule.from_wire({"metadata": body["metadata"], "spec": body["spec"]})
            manifest = scheduled_manifests.run(schedule, action.name, action.due)
            created = await asyncio.to_thread(schedules.create_run, self._api, manifest, owner)
            if isinstance(created, Refusal):
                refusal = created
            else:
                self._store.put_run(created)
        if any(isinstance(action, DeleteRun) for action in actions):
            await self._list_if_due(owner, at_once=True)
        return refusal

    async def _write_status(
        self, body: Body, status: FeatureExtractionScheduleStatus, runs: tuple[ScheduledRun, ...]
    ) -> bool:
        """Writes the status if it differs, then its Events; returns False if the schedule has changed meanwhile."""
        before, key = status_of(body), key_of(body)
        if status == before:
            return True
        try:
            updated = await asyncio.to_thread(schedules.apply_status, self._api, body, status.to_wire())
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            await self._read_again(key)
            return False
        self._store.put_schedule(updated)
        for event in schedule_events(before, status, runs):
            try:
                identity = self._settings.identity
                await asyncio.to_thread(events.create, self._api, updated, event, identity, kind=SCHEDULE_KIND)
            except ApiError as error:
                logger.warning("%s: can't create the event %s: %s", key, event.reason, error)
        return True
