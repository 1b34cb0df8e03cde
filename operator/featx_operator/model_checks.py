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
from featx_operator.decisions.model import MOST_CHECKS, DeleteCheck, ObservedChecks, plan_model
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
        taken = ""
        for _ in range(MAX_PASSES):
            body = self._store.get(key)
            if body is None:
                self._created = {owner: made for owner, made in self._created.items() if owner.key != key}
                return None
            if not self._is_leader():
                return REQUEUE_SECONDS
            observed = await self._observed(body, refusal, taken)
            decision = plan_model(body, observed, self._clock(), self._settings)
            refusal, taken = None, ""
            for action in decision.actions:
                if isinstance(action, DeleteCheck):
                    await self._delete(body, action)
                else:
                    refusal, taken = await self._start(body)
            if not decision.actions and await self._write_status(body, decision.status) and decision.requeue_after != 0:
                return decision.requeue_after
        return REQUEUE_SECONDS

    async def report(self, key: Key, error: Exception) -> None:
        """Reports an error that keeps coming: in the log only, by its kind, since its text may hold data."""
        logger.warning("%s %s can't be reconciled: %s", kind_of(key), key, type(error).__name__)

    async def _observed(self, body: Body, refusal: Refusal | None, taken: str) -> ObservedChecks:
        """The pods that may be checking a model. No request is made for one that is settled, or waits for others.

        Args:
            body: The model.
            refusal: Why a pod could not be created.
            taken: The name that another object had when a pod was to be created, or empty.
        """
        owner, generation = model_owner(body), int(body["metadata"].get("generation") or 0)
        made, uid = self._created.get(owner, (0, ""))
        created = uid if made == generation else ""
        check, others = model_status(body).check, self._store.checks(owner.key)
        current = check if check and check.generation == generation else None
        if current and current.result and not self._store.has_pod(owner):
            return ObservedChecks()
        started = bool(check and (check.pod_uid or check.failures))
        if others >= MOST_CHECKS and not created and not started:
            return ObservedChecks(others=others)
        namespace = namespace_of(owner, self._settings)
        pods = await asyncio.to_thread(models.check_pods, self._api, namespace, owner)
        if taken and not any(pod.name == taken for pod in pods):
            holder = await asyncio.to_thread(models.check_pod, self._api, namespace, taken)
            pods += [holder] if holder else []
        if not pods:
            self._store.drop_pod(owner)
        return ObservedChecks(tuple(pods), created, refusal, others)

    async def _delete(self, body: Body, action: DeleteCheck) -> None:
        owner = model_owner(body)
        logger.info("%s %s: %s", kind_of(owner.key), owner.key, action)
        namespace = namespace_of(owner, self._settings)
        await asyncio.to_thread(models.delete_check, self._api, namespace, action.name, action.uid)

    async def _start(self, body: Body) -> tuple[Refusal | None, str]:
        """Creates the pod of a check; returns why that was refused, and its name if another object has it."""
        owner, generation = model_owner(body), int(body["metadata"].get("generation") or 0)
        logger.info("%s %s: checks generation %d", kind_of(owner.key), owner.key, generation)
        try:
            pod = await asyncio.to_thread(models.start_check, self._api, body, self._settings)
        except RefusedError as error:
            return error.refusal, ""
        if pod is None:
            return None, pod_name(owner.key.name, generation)
        self._created[owner] = (generation, pod.uid)
        self._store.put_pod(owner)
        return None, ""

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
