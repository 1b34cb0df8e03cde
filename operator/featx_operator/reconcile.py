"""Reconciles one run: observe, decide and act until there is nothing left to do; then one status write, then Events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from featx_api.contract import DRIVER
from featx_api.status import FeatureExtractionStatus

from featx_operator import kueue, manifests
from featx_operator.admission import Admission
from featx_operator.cluster import children, events, resources, workloads
from featx_operator.cluster.creation import RefusedError, create_attempt, refuse_replacement
from featx_operator.cluster.transport import ApiError, ApiServer
from featx_operator.decisions.events import events_between
from featx_operator.decisions.internal_error import stalled, stalled_of
from featx_operator.decisions.plan import is_finished, plan
from featx_operator.decisions.policies.start import is_start, reported_secret
from featx_operator.decisions.run import Action, CreateAttempt, DeleteFiles, DeletePod, Plan, WorkloadAction, whole
from featx_operator.objects import (
    Body,
    Key,
    Owner,
    driver_name,
    is_elsewhere,
    key_of,
    owner_from,
    resource_of,
    status_of,
)
from featx_operator.recorder import Recorder
from featx_operator.run_metrics import observe_status
from featx_operator.settings import Settings
from featx_operator.state.observed import Observed, Pod, reduced
from featx_operator.state.store import Store, is_untouched
from featx_operator.state.workload import workload_from

logger = logging.getLogger(__name__)

MAX_PASSES = 5  # a run that is not at rest after these is requeued, so that others get their turn
REQUEUE_SECONDS = 1.0
ENDED = ("Succeeded", "Failed")
MOUNT_GRACE_SECONDS = 2.0  # before the Events of a pod that does not start are read
STOPPING_SECONDS = 5.0  # until the pods of an ended run are listed again
MINOR_SECONDS = 2.0  # a driver's age from which on it is reported that it starts


class Reconciler:
    """Brings runs to the state they should be in. Workers never call it concurrently for the same key."""

    def __init__(
        self,
        api: ApiServer,
        store: Store,
        admission: Admission,
        settings: Settings,
        recorder: Recorder,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._api = api
        self._store = store
        self._admission = admission
        self._settings = settings
        self._recorder = recorder
        self._clock = clock or (lambda: datetime.now(UTC))

    async def reconcile(self, key: Key) -> float | None:
        """Reconciles one run; returns the seconds until the next reconcile, or None to wait for an event."""
        if self._store.has_ended(key):
            return await self._clean_up_if_due(key)
        body: Body | None = None
        for _ in range(MAX_PASSES):
            body = body or await self._fresh(key)
            if self._store.has_ended(key):  # when it was read
                return await self._clean_up(key)
            if body is None:
                self._admission.drop(key)  # a watch may have missed the end of the resource
                return None
            if self._is_left_alone(body):
                return None
            decision = await self._plan_and_act(body)
            if decision.requeue_after != 0 and (seconds := self._held_back(body, decision.status)):
                return min(seconds, decision.requeue_after or seconds)
            body = await self._write_status(body, decision.status)
            if self._store.has_ended(key):
                return await self._clean_up_if_due(key)
            if body is not None and decision.requeue_after != 0:
                break
        else:
            return REQUEUE_SECONDS
        if is_finished(decision.status):
            return decision.requeue_after
        resync = self._settings.resync_seconds
        return resync if decision.requeue_after is None else min(decision.requeue_after, resync)

    def _is_left_alone(self, body: Body) -> bool:
        """Whether a resource is another controller's: then its status may have any form."""
        return is_elsewhere(body) and not (self._settings.kueue and body["spec"].get("managedBy") == kueue.MULTIKUEUE)

    async def _clean_up_if_due(self, key: Key) -> float | None:
        seconds = self._store.seconds_until_due(key, self._clock())
        return await self._clean_up(key) if seconds == 0 else seconds

    async def _clean_up(self, key: Key) -> float | None:
        """Reconciles a run of which only the mark is stored: reads it, and lists its children."""
        body = await self._read(key)
        if body is None or self._is_left_alone(body):
            return None
        if not self._store.has_ended(key):
            return 0.0  # somebody has reset its status
        observed = await asyncio.to_thread(self._listed, owner_from(body))
        decision = plan(body, observed, self._clock(), self._settings)
        for action in decision.actions:
            await self._act(body, action)
        updated = await self._write_status(body, decision.status)
        if not is_finished(decision.status):
            return 0.0  # it starts again
        queued = observed.workload is not None and not observed.workload.is_true("Finished")
        alive = bool(observed.alive()) or (
            queued and not any(isinstance(action, WorkloadAction) for action in decision.actions)
        )
        self._store.put_cleaned(updated or body, alive)
        if alive or updated is None:
            return STOPPING_SECONDS
        return None if decision.actions else decision.requeue_after

    async def report(self, key: Key, error: Exception) -> None:
        """Reports on the resource that its reconcile fails. Only the kind of error: its text may hold data."""
        cause = f"{type(error).__name__} {error.status}" if isinstance(error, ApiError) else type(error).__name__
        try:
            body = self._store.resource(key)
            if body is None or "spec" not in body:
                body = await self._read(key)
            if body is None or is_elsewhere(body):
                return
            before = stalled_of(body)
            generation = int(body["metadata"].get("generation") or 0)
            condition = stalled(before, cause, whole(self._clock()), generation)
            if condition != before:
                wire = condition.to_wire()
                self._store.put_resource(await asyncio.to_thread(resources.apply_condition, self._api, body, wire))
        except Exception as failure:  # the error itself is logged and retried
            logger.warning("%s: can't report %s: %s", key, cause, type(failure).__name__)

    async def _fresh(self, key: Key) -> Body | None:
        """The resource; once in a while, and when an operator starts, with its children as the API server has them."""
        body = self._store.resource(key)
        if body is None or "spec" not in body or self._store.list_is_due(owner_from(body), is_untouched(body)):
            body = await self._read(key)
        if body is None:
            return None
        owner = owner_from(body)
        if self._store.list_is_due(owner, is_untouched(body)):
            await self._list_children(owner)
        elif not self._store.files_are_known(owner):
            self._store.put_listed(owner, self._settings.resync_seconds)  # there is nothing to list
        return body

    async def _read(self, key: Key) -> Body | None:
        """The resource as the API server has it."""
        body = await asyncio.to_thread(resources.get, self._api, key)
        if body is None:
            self._store.drop_resource(key)
        else:
            self._store.put_resource(body)
        return body

    async def _list_children(self, owner: Owner) -> None:
        """Lists children. Only the requests run in threads: watches and metrics use the store in the event loop."""
        self._store.replace_pods(owner, await asyncio.to_thread(children.pods, self._api, owner))
        if not self._store.files_are_known(owner):
            self._store.replace_files(owner, await asyncio.to_thread(self._attempts_with_files, owner))
        if self._settings.kueue:
            await self._read_workload(owner)
        self._store.put_listed(owner, self._settings.resync_seconds)

    async def _read_workload(self, owner: Owner) -> None:
        body = await asyncio.to_thread(workloads.get, self._api, owner.key, owner.uid)
        self._store.replace_workload(owner, body)

    def _listed(self, owner: Owner) -> Observed:
        workload = workloads.get(self._api, owner.key, owner.uid) if self._settings.kueue else None
        return Observed(
            tuple(children.pods(self._api, owner)),
            frozenset(self._attempts_with_files(owner)),
            workload=workload_from(workload) if workload else None,
        )

    def _attempts_with_files(self, owner: Owner) -> list[int]:
        names = children.config_maps(self._api, owner)
        return [attempt for name in names if (attempt := manifests.attempt_of(owner, name))]

    def _held_back(self, body: Body, status: FeatureExtractionStatus) -> float:
        """The seconds to wait before it is written that a driver was scheduled: mostly it runs by then."""
        if not is_start(status_of(body), status):
            return 0.0
        driver = self._store.driver(owner_from(body), status)
        age = (self._clock() - driver.created).total_seconds() if driver else MINOR_SECONDS
        return min(max(0.0, MINOR_SECONDS - age), MINOR_SECONDS)

    async def _plan_and_act(self, body: Body) -> Plan:
        """Plans and acts until the plan has no more actions."""
        observed = await self._observe(body)
        for _ in range(MAX_PASSES):
            observed = self._admission.add_to(observed, body)
            decision = plan(body, observed, self._clock(), self._settings)
            self._admission.record(body, decision)  # before anything is awaited
            if not decision.actions:
                return decision
            refusal = None
            for action in decision.actions:
                try:
                    await self._act(body, action)
                except RefusedError as refused:
                    refusal = refused.refusal
                    self._admission.outdated(body["metadata"]["namespace"])
            observed = await self._observe(body)
            observed = replace(observed, refusal=refusal or observed.refusal)
        return replace(decision, actions=(), requeue_after=REQUEUE_SECONDS)

    async def _observe(self, body: Body) -> Observed:
        """The stored children, after checking with the API server what a missing driver's name belongs to.

        Also reads why a driver's volumes can't be mounted, if it does not start.
        """
        observed = self._stored(body)
        key, status = key_of(body), status_of(body)
        if self._settings.kueue:
            observed = await self._with_flavors(body, observed)
        if status.attempt == 0 or is_finished(status):
            return observed
        uid = status.driver.pod_uid if status.driver else ""
        uid = uid or observed.created.get(status.attempt, "")
        driver = observed.driver(uid)
        if driver is None:
            owner = owner_from(body)
            name = driver_name(key.name, status.attempt)
            seen = any(pod.name == name for pod in observed.pods)
            # A pod of that name that nobody has seen makes the create request fail.
            if uid or seen or self._store.is_taken(owner, status.attempt):
                existing = await asyncio.to_thread(children.get, self._api, "Pod", key.namespace, name)
                if existing is not None:
                    return with_holder(observed, existing, uid, status.attempt, owner.uid)
                self._store.put_taken(owner, 0)
            await self._admission.refresh(key.namespace)
            return observed
        if driver.phase == "Pending" and driver.scheduled and not driver.deleting:
            return await asyncio.to_thread(self._with_mount_failure, observed, key.namespace, driver)
        return observed

    async def _with_flavors(self, body: Body, observed: Observed) -> Observed:
        """Adds what an admitted Workload was assigned, if a driver is yet to be created.

        A Workload that is missing is read: a run that has lost it is stopped.
        """
        owner, status = owner_from(body), status_of(body)
        if observed.workload is None and status.workload and not is_finished(status):
            await self._read_workload(owner)
            observed = self._stored(body)
        workload = observed.workload
        if workload is None or not workload.admitted or status.driver or is_finished(status):
            return observed
        flavors = await asyncio.to_thread(workloads.flavors, self._api, workload.flavors())
        return replace(observed, flavors=flavors)

    def _with_mount_failure(self, observed: Observed, namespace: str, driver: Pod) -> Observed:
        """Adds why a driver's volumes can't be mounted, and whether the Secret in that report is missing."""
        if (self._clock() - driver.created).total_seconds() < MOUNT_GRACE_SECONDS:
            return observed
        failure = events.mount_failure(self._api, namespace, driver.uid)
        secret = reported_secret(driver, failure)
        absent = secret is not None and children.get(self._api, "Secret", namespace, secret) is None
        return replace(observed, mount_failure=failure, absent_secrets=frozenset([secret] if secret and absent else []))

    def _stored(self, body: Body) -> Observed:
        owner = owner_from(body)
        observed = Observed(self._store.pods(owner), self._store.files(owner), self._store.created(owner))
        return replace(observed, workload=self._store.workload(owner))

    async def _act(self, body: Body, action: Action) -> None:
        key, owner = key_of(body), owner_from(body)
        logger.info("%s: %s", key, action)
        if isinstance(action, CreateAttempt):
            # Stored before the request: if that fails, the ConfigMap may exist all the same.
            self._store.put_files(owner, action.attempt)
            run = resource_of(body).model_copy(update={"status": status_of(body)})
            arguments = (self._api, run, action.attempt, self._settings, action.placements)
            pod = await asyncio.to_thread(create_attempt, *arguments)
            if pod:
                self._store.put_created(owner, action.attempt, pod)
            else:
                self._store.put_taken(owner, action.attempt)
        elif isinstance(action, DeletePod):
            delete = children.delete
            terminating = await asyncio.to_thread(delete, self._api, "Pod", key.namespace, action.name, action.uid)
            if terminating is None or (terminating.get("status") or {}).get("phase") in ENDED:
                self._store.drop_pod(owner, action.uid)
            else:
                self._store.put_pod(terminating)
        elif isinstance(action, DeleteFiles):
            # The Secret first: without the ConfigMap nothing would remember it.
            for kind, name in manifests.files(owner, action.attempt):
                await asyncio.to_thread(children.delete_owned, self._api, kind, owner, name)
            self._store.drop_files(owner, action.attempt)
        else:
            run = resource_of(body)
            workload = await asyncio.to_thread(workloads.act, self._api, run, action, self._settings)
            self._store.replace_workload(owner, workload)

    async def _write_status(self, body: Body, status: FeatureExtractionStatus) -> Body | None:
        """Writes the status if it differs, then has its Events written.

        Returns:
            The resource with that status, or None if it has changed meanwhile.
        """
        before, owner = status_of(body), owner_from(body)
        if status == before:
            self._store.put_reported(owner)
            return body
        try:
            updated = await asyncio.to_thread(resources.apply_status, self._api, body, status.to_wire())
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            self._store.expire(owner.key)  # read it again and decide from that
            return None
        waited, driver = self._store.put_reported(owner), self._store.driver(owner, status)
        self._store.put_resource(updated)
        observe_status(updated, before, status, waited, driver, self._clock())
        self._recorder.put(updated, events_between(before, status))
        return updated


def with_holder(observed: Observed, holder: Body, uid: str, attempt: int, run: str) -> Observed:
    """Adds the pod that has the name of a missing driver: the driver itself, an impostor, or something foreign.

    Args:
        observed: The children, without the driver.
        holder: The pod.
        uid: The driver's uid, or empty if no driver is known.
        attempt: The current attempt.
        run: The resource's uid.
    """
    pod = reduced(holder, DRIVER, attempt)
    if uid and pod.uid == uid:
        # The watch lags, or somebody has changed its labels. A uid can't be forged.
        return replace(observed, pods=(*observed.pods, pod))
    if refusal := refuse_replacement("Pod", holder, run):
        return replace(observed, refusal=refusal)
    return replace(observed, impostor=pod)
