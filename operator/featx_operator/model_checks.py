"""Reconciles one model: plan, start and delete pods until there is nothing left to do; then one status write.

Beside `reconcile`, which only asks what the models of a run say (`Models`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from featx_api.nets import ModelRef
from featx_api.spec import Part
from featx_api.vision_model import VisionModelStatus

from featx_operator.cluster import events, models
from featx_operator.cluster.creation import RefusedError
from featx_operator.cluster.transport import ApiError, ApiServer
from featx_operator.decisions.model import DeleteCheck, ObservedChecks, StartCheck, plan_model
from featx_operator.decisions.model_events import model_events
from featx_operator.decisions.plan import is_finished
from featx_operator.model_pods import namespace_of, pod_name
from featx_operator.objects import Body, Key, Owner, owner_from, status_of
from featx_operator.settings import Settings
from featx_operator.state.models import ModelStore, key_of_ref, kind_of, model_owner, model_status, named_model
from featx_operator.state.observed import Observed, Refusal
from featx_operator.state.store import Store

logger = logging.getLogger(__name__)

MAX_PASSES = 8
REQUEUE_SECONDS = 1.0
PARTS: tuple[Part, ...] = ("detector", "extractor")


class ModelChecker:
    """Has models checked. Workers never call it concurrently for the same key.

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
        store: ModelStore,
        settings: Settings,
        is_leader: Callable[[], bool],
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._api = api
        self._store = store
        self._settings = settings
        self._is_leader = is_leader
        self._clock = clock or (lambda: datetime.now(UTC))
        self._created: dict[Owner, tuple[int, str]] = {}  # generation and uid of the last pod of each model

    async def reconcile(self, key: Key) -> float | None:
        """Reconciles one model; returns the seconds until the next reconcile, or None to wait for an event."""
        refusal: Refusal | None = None
        for _ in range(MAX_PASSES):
            body = self._store.get(key)
            if body is None:
                self._created = {owner: made for owner, made in self._created.items() if owner.key != key}
                return None
            if not self._is_leader():
                return REQUEUE_SECONDS
            observed = await self._observed(body, refusal)
            decision = plan_model(body, observed, self._clock(), self._settings)
            refusal = None
            for action in decision.actions:
                refusal = await self._act(body, action) or refusal
            if not decision.actions and await self._write_status(body, decision.status) and decision.requeue_after != 0:
                return decision.requeue_after
        return REQUEUE_SECONDS

    async def report(self, key: Key, error: Exception) -> None:
        """Reports an error that keeps coming: in the log only, by its kind, since its text may hold data."""
        logger.warning("%s %s can't be reconciled: %s", kind_of(key), key, type(error).__name__)

    async def _observed(self, body: Body, refusal: Refusal | None) -> ObservedChecks:
        """The pods that may be checking a model; none if its check is over and its pod has been deleted."""
        owner, generation = model_owner(body), int(body["metadata"].get("generation") or 0)
        made, uid = self._created.get(owner, (0, ""))
        created = uid if made == generation else ""
        check = model_status(body).check
        names = {pod_name(owner.key.name, generation)} | ({check.pod_name} if check and check.pod_name else set())
        namespace = namespace_of(owner, self._settings)
        pods = [await asyncio.to_thread(models.check_pod, self._api, namespace, name) for name in sorted(names)]
        present = tuple(pod for pod in pods if pod)
        return ObservedChecks(present, created, refusal, self._store.checks(owner.key))

    async def _act(self, body: Body, action: StartCheck | DeleteCheck) -> Refusal | None:
        """Carries an action out; returns why a pod could not be created."""
        owner = model_owner(body)
        logger.info("%s %s: %s", kind_of(owner.key), owner.key, action)
        if isinstance(action, DeleteCheck):
            namespace = namespace_of(owner, self._settings)
            await asyncio.to_thread(models.delete_check, self._api, namespace, action.name, action.uid)
            return None
        try:
            pod = await asyncio.to_thread(models.start_check, self._api, body, self._settings)
        except RefusedError as error:
            return error.refusal
        if pod is not None:
            self._created[owner] = (int(body["metadata"].get("generation") or 0), pod.uid)
        return None

    async def _write_status(self, body: Body, status: VisionModelStatus) -> bool:
        """Writes the status if it differs, then its Events; returns False if the model has changed meanwhile."""
        before, owner = model_status(body), model_owner(body)
        if status == before:
            return True
        try:
            updated = await asyncio.to_thread(models.apply_status, self._api, body, status.to_wire())
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            current = await asyncio.to_thread(models.get, self._api, owner.key)
            if current is None:
                self._store.drop(owner.key)
            else:
                self._store.put(current)
            return False
        self._store.put(updated)
        if status.check is None or not status.check.pod_uid:
            self._created.pop(owner, None)
        for event in model_events(before, status) if owner.key.namespace else ():  # those of others have no namespace
            try:
                identity = self._settings.identity
                await asyncio.to_thread(events.create, self._api, updated, event, identity, kind=kind_of(owner.key))
            except ApiError as error:
                logger.warning("%s: can't create the event %s: %s", owner.key, event.reason, error)
        return True


class Models:
    """What the models of runs say. A model that no watch has delivered is read: it may have just been created.

    Args:
        api: The API server.
        known: What the watches deliver.
        runs: Where it is stored which runs refer to which models.
        settings: The operator's.
        served: Whether the CRDs are installed.
    """

    def __init__(self, api: ApiServer, known: ModelStore, runs: Store, settings: Settings, served: bool = True) -> None:
        self._api = api
        self._known = known
        self._runs = runs
        self._settings = settings
        self._served = served

    async def add_to(self, observed: Observed, body: Body) -> Observed:
        """Adds the models that a run refers to, unless it has ended."""
        refs = _refs(body)
        if not refs or not self._served or is_finished(status_of(body)):
            return observed
        owner = owner_from(body)
        keys = {part: key_of_ref(ref, owner.key.namespace) for part, ref in refs.items()}
        self._runs.put_models(owner, frozenset(keys.values()))
        found = {part: await self._read(key) for part, key in keys.items()}
        return replace(observed, models={part: named_model(model) for part, model in found.items() if model})

    async def _read(self, key: Key) -> Body | None:
        if not key.namespace and not self._settings.cluster_models:
            return None
        if self._known.get(key) is None and (body := await asyncio.to_thread(models.get, self._api, key)):
            self._known.put(body)
        return self._known.get(key)


def _refs(body: Body) -> dict[Part, ModelRef]:
    """The references of a resource as the API server has it."""
    parts = ((part, (body["spec"].get(part) or {}).get("modelRef")) for part in PARTS)
    return {part: ModelRef.from_wire(ref) for part, ref in parts if ref}
