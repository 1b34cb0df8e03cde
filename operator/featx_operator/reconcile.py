"""Works on one run: look, decide, act, until nothing is left to do; then one write of its status, then Events."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from featx_api.resource import FeatureExtraction
from featx_api.status import FeatureExtractionStatus

from featx_operator import manifests
from featx_operator.cluster.client import ApiError, Cluster
from featx_operator.cluster.creation import RefusedError, create_attempt, foreign
from featx_operator.decisions import events
from featx_operator.decisions.plan import is_finished, plan
from featx_operator.decisions.run import Action, CreateAttempt, DeletePod, Plan
from featx_operator.queue import Key
from featx_operator.settings import Settings
from featx_operator.state.observed import Observed, Pod, Waiting, pod_from
from featx_operator.state.store import Store

logger = logging.getLogger(__name__)

PASSES = 5  # what is not at rest after so many is taken up again later
MOUNT_PATIENCE = 2.0  # seconds before the Events of a pod that does not start are read


class Reconciler:
    """Brings one run after the other to where it should be. Workers never call it twice at a time for one key."""

    def __init__(
        self, cluster: Cluster, store: Store, settings: Settings, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._settings = settings
        self._clock = clock or (lambda: datetime.now(UTC))
        self._compared: dict[Key, float] = {}

    async def __call__(self, key: Key) -> float | None:
        """Reconciles one run; returns the seconds after which to do so again, or None."""
        for _ in range(PASSES):
            await self._compare(key)
            body = self._store.resource(key)
            if body is None:
                self._compared.pop(key, None)
                return None
            decided = await self._settle(body)
            landed = await self._report(body, decided.status)
            if landed and decided.requeue_after != 0:
                break
        else:
            return 1.0  # others come first
        if is_finished(decided.status):
            return decided.requeue_after
        again, resync = decided.requeue_after, self._settings.resync_seconds
        return resync if again is None else min(again, resync)

    async def _compare(self, key: Key) -> None:
        """Takes the API server's word instead of the watches', at first sight of a run and then now and again."""
        last, now = self._compared.get(key), time.monotonic()
        if last is not None and now - last < self._settings.resync_seconds:
            return
        body = await asyncio.to_thread(self._cluster.resource, key)
        if body is None:
            self._store.drop_resource(key)
            return
        self._store.put_resource(body)
        uid = body["metadata"]["uid"]
        pods, config_maps = await asyncio.gather(
            asyncio.to_thread(self._cluster.pods_of, key.namespace, uid),
            asyncio.to_thread(self._cluster.config_maps_of, key.namespace, uid),
        )
        self._store.replace_pods(uid, pods)
        self._store.replace_config_maps(uid, config_maps)
        self._compared[key] = now

    async def _settle(self, body: Mapping[str, Any]) -> Plan:
        """Plans and acts until the plan has no more actions."""
        observed = await self._observe(body)
        for _ in range(PASSES):
            decided = plan(body, observed, self._clock(), self._settings)
            if not decided.actions:
                return decided
            refusal = None
            for action in decided.actions:
                try:
                    await self._act(body, action)
                except RefusedError as refused:
                    refusal = refused.refusal
            observed = replace(self._known(body), refusal=refusal)
        return replace(decided, actions=(), requeue_after=1.0)

    async def _observe(self, body: Mapping[str, Any]) -> Observed:
        """Returns what is known, with the current driver's absence and its volumes asked about where that matters."""
        observed = self._known(body)
        metadata = body["metadata"]
        status = FeatureExtractionStatus.model_validate(body.get("status") or {})
        if status.attempt == 0 or is_finished(status):
            return observed
        driver = observed.driver(status.attempt)
        if driver is None:
            name = manifests.driver_name(metadata["name"], status.attempt)
            present = await asyncio.to_thread(self._cluster.pod, metadata["namespace"], name)
            if present is None:
                return observed
            if refusal := foreign(present, metadata["uid"]):
                return replace(observed, refusal=refusal)
            self._store.put_pod(present)
            observed = self._known(body)
        elif driver.phase == "Pending" and driver.scheduled and not driver.deleting:
            return replace(observed, mount_problem=await self._mount_problem(metadata["namespace"], driver))
        return observed

    async def _mount_problem(self, namespace: str, driver: Pod) -> Waiting | None:
        if (self._clock() - driver.created).total_seconds() < MOUNT_PATIENCE:
            return None
        return await asyncio.to_thread(self._cluster.mount_failure, namespace, driver.uid)

    def _known(self, body: Mapping[str, Any]) -> Observed:
        uid = body["metadata"]["uid"]
        return Observed(self._store.pods(uid), self._store.config_maps(uid))

    async def _act(self, body: Mapping[str, Any], action: Action) -> None:
        namespace, uid = body["metadata"]["namespace"], body["metadata"]["uid"]
        logger.info("%s/%s: %s", namespace, body["metadata"]["name"], action)
        if isinstance(action, CreateAttempt):
            resource = FeatureExtraction.model_validate({key: body[key] for key in ("metadata", "spec")})
            name = manifests.config_map_name(resource.name, action.attempt)
            self._store.put_config_map(uid, name)
            pod = await asyncio.to_thread(
                create_attempt, self._cluster, resource, action.attempt, self._settings.job_image
            )
            self._store.put_pod(pod)
        elif isinstance(action, DeletePod):
            left = await asyncio.to_thread(self._cluster.delete_pod, namespace, action.name, action.uid)
            if left is None or pod_from(left).ended:
                self._store.forget_pod(uid, action.name, action.uid)
            else:
                self._store.put_pod(left)
        else:
            await asyncio.to_thread(self._cluster.delete_config_map, namespace, action.name)
            self._store.forget_config_map(uid, action.name)

    async def _report(self, body: Mapping[str, Any], status: FeatureExtractionStatus) -> bool:
        """Writes the status if it differs, then tells what changed; False if the resource has changed meanwhile."""
        before = FeatureExtractionStatus.model_validate(body.get("status") or {})
        if status == before:
            return True
        key = Key(body["metadata"]["namespace"], body["metadata"]["name"])
        try:
            landed = await asyncio.to_thread(self._cluster.apply_status, body, status.to_wire())
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            self._compared.pop(key, None)  # look again, and decide anew
            return False
        self._store.put_resource(landed)
        for event in events.between(before, status):
            try:
                await asyncio.to_thread(self._cluster.tell, landed, event)
            except ApiError as error:
                logger.warning("%s: event %s is lost: %s", key, event.reason, error)
        return True
