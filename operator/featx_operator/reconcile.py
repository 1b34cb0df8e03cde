"""Reconciles one run: observe, decide and act until there is nothing left to do; then one status write, then Events."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from featx_api.status import FeatureExtractionStatus

from featx_operator import manifests
from featx_operator.cluster import children, events, resources
from featx_operator.cluster.creation import RefusedError, create_attempt, refuse_adoption
from featx_operator.cluster.transport import ApiError, ApiServer
from featx_operator.decisions.events import events_between
from featx_operator.decisions.plan import is_finished, plan
from featx_operator.decisions.run import Action, CreateAttempt, DeletePod, Plan
from featx_operator.objects import Body, Key, key_of, resource_of, status_of
from featx_operator.settings import Settings
from featx_operator.state.observed import Observed, Pod, PodWaiting, pod_from
from featx_operator.state.store import Store

logger = logging.getLogger(__name__)

MAX_PASSES = 5  # a run that is not at rest after these is requeued, so that others get their turn
REQUEUE_SECONDS = 1.0
MOUNT_GRACE_SECONDS = 2.0  # before the Events of a pod that does not start are read


class Reconciler:
    """Brings runs to the state they should be in. Workers never call it concurrently for the same key."""

    def __init__(
        self, api: ApiServer, store: Store, settings: Settings, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._api = api
        self._store = store
        self._settings = settings
        self._clock = clock or (lambda: datetime.now(UTC))
        self._resynced_at: dict[Key, float] = {}

    async def reconcile(self, key: Key) -> float | None:
        """Reconciles one run; returns the seconds until the next reconcile, or None to wait for an event."""
        for _ in range(MAX_PASSES):
            await self._resync_if_due(key)
            body = self._store.resource(key)
            if body is None:
                self._resynced_at.pop(key, None)
                return None
            decision = await self._plan_and_act(body)
            written = await self._write_status(body, decision.status)
            if written and decision.requeue_after != 0:
                break
        else:
            return REQUEUE_SECONDS
        if is_finished(decision.status):
            return decision.requeue_after
        resync = self._settings.resync_seconds
        return resync if decision.requeue_after is None else min(decision.requeue_after, resync)

    async def _resync_if_due(self, key: Key) -> None:
        """Replaces what the watches delivered by the API server's own lists: for a new run, and then periodically."""
        last, now = self._resynced_at.get(key), time.monotonic()
        if last is not None and now - last < self._settings.resync_seconds:
            return
        body = await asyncio.to_thread(resources.get, self._api, key)
        if body is None:
            self._store.drop_resource(key)
            return
        self._store.put_resource(body)
        uid = body["metadata"]["uid"]
        pods, config_maps = await asyncio.gather(
            asyncio.to_thread(children.pods, self._api, key.namespace, uid),
            asyncio.to_thread(children.config_maps, self._api, key.namespace, uid),
        )
        self._store.replace_pods(uid, pods)
        self._store.replace_config_maps(uid, config_maps)
        self._resynced_at[key] = now

    async def _plan_and_act(self, body: Body) -> Plan:
        """Plans and acts until the plan has no more actions."""
        observed = await self._observe(body)
        for _ in range(MAX_PASSES):
            decision = plan(body, observed, self._clock(), self._settings)
            if not decision.actions:
                return decision
            refusal = None
            for action in decision.actions:
                try:
                    await self._act(body, action)
                except RefusedError as refused:
                    refusal = refused.refusal
            observed = replace(self._stored(body), refusal=refusal)
        return replace(decision, actions=(), requeue_after=REQUEUE_SECONDS)

    async def _observe(self, body: Body) -> Observed:
        """The stored children, after checking with the API server that a missing driver does not exist.

        Also reads why a driver's volumes can't be mounted, if it does not start.
        """
        observed = self._stored(body)
        key, status = key_of(body), status_of(body)
        if status.attempt == 0 or is_finished(status):
            return observed
        driver = observed.driver(status.attempt)
        if driver is None:
            name = manifests.driver_name(key.name, status.attempt)
            existing = await asyncio.to_thread(children.get, self._api, "Pod", key.namespace, name)
            if existing is None:
                return observed
            if refusal := refuse_adoption(existing, body["metadata"]["uid"]):
                return replace(observed, refusal=refusal)
            self._store.put_pod(existing)
            return self._stored(body)
        if driver.phase == "Pending" and driver.scheduled and not driver.deleting:
            return replace(observed, mount_failure=await self._mount_failure(key.namespace, driver))
        return observed

    async def _mount_failure(self, namespace: str, driver: Pod) -> PodWaiting | None:
        if (self._clock() - driver.created).total_seconds() < MOUNT_GRACE_SECONDS:
            return None
        return await asyncio.to_thread(events.mount_failure, self._api, namespace, driver.uid)

    def _stored(self, body: Body) -> Observed:
        uid = body["metadata"]["uid"]
        return Observed(self._store.pods(uid), self._store.config_maps(uid))

    async def _act(self, body: Body, action: Action) -> None:
        key, uid = key_of(body), body["metadata"]["uid"]
        logger.info("%s: %s", key, action)
        if isinstance(action, CreateAttempt):
            # Stored before the request: if that fails, the ConfigMap may exist all the same.
            self._store.put_config_map(uid, manifests.config_map_name(key.name, action.attempt))
            image = self._settings.job_image
            pod = await asyncio.to_thread(create_attempt, self._api, resource_of(body), action.attempt, image)
            self._store.put_pod(pod)
        elif isinstance(action, DeletePod):
            terminating = await asyncio.to_thread(
                children.delete_pod, self._api, key.namespace, action.name, action.uid
            )
            if terminating is None or pod_from(terminating).ended:
                self._store.drop_pod(uid, action.name, action.uid)
            else:
                self._store.put_pod(terminating)
        else:
            await asyncio.to_thread(children.delete_config_map, self._api, key.namespace, action.name)
            self._store.drop_config_map(uid, action.name)

    async def _write_status(self, body: Body, status: FeatureExtractionStatus) -> bool:
        """Writes the status if it differs, then its Events; returns False if the resource has changed meanwhile."""
        before = status_of(body)
        if status == before:
            return True
        key = key_of(body)
        try:
            updated = await asyncio.to_thread(resources.apply_status, self._api, body, status.to_wire())
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            self._resynced_at.pop(key, None)  # read it again and decide from that
            return False
        self._store.put_resource(updated)
        for event in events_between(before, status):
            try:
                await asyncio.to_thread(events.create, self._api, updated, event, self._settings.identity)
            except ApiError as error:
                logger.warning("%s: can't create the event %s: %s", key, event.reason, error)
        return True
