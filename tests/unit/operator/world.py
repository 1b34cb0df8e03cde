"""A simulated world to carry plans out in: one resource, its pods, and a clock that the test advances.

It does what the reconciler does (plan, act until there is nothing to do, write the status), one step at a time, and
can stop between any two steps, like a process that dies. All other methods do what kubelet, scheduler, garbage
collector and users do in between.
"""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from featx_api.contract import DRIVER, EXECUTOR
from featx_api.spec import Part
from featx_api.status import Condition, ConditionType, FeatureExtractionStatus, Progress
from featx_operator.applied import annotation_of, digests_from
from featx_operator.decisions import conditions
from featx_operator.decisions.plan import plan
from featx_operator.decisions.run import Action, CreateAttempt, DeleteFiles, DeletePod, Plan, ScaleExecutors
from featx_operator.objects import driver_name, resource_of
from featx_operator.settings import Settings
from featx_operator.state.models import NamedModel
from featx_operator.state.observed import Exit, Observed, Pod, PodWaiting, Refusal
from featx_operator.state.quotas import QuotaView

from tests.support.bad_resources import good

START = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
NAME = "catalog"


class DiedError(Exception):
    """The operator's process died between two steps."""


class World:
    """One run and everything around it."""

    def __init__(self, settings: Settings | None = None, **spec: Any) -> None:
        self.settings = settings or Settings()
        self.now = START
        self.body: dict[str, Any] = copy.deepcopy(good())
        self.body["metadata"] = {"name": NAME, "namespace": "default", "uid": "u-1", "generation": 1}
        self.body["spec"] |= spec
        self.pods: dict[str, Pod] = {}
        self.files: set[int] = set()
        self.known: dict[int, str] = {}
        self.refusal: Refusal | None = None
        self.mount_failure: PodWaiting | None = None
        self.absent_secrets: set[str] = set()
        self.quota: QuotaView | None = None
        self.models: dict[Part, NamedModel] = {}
        self.written: list[tuple[datetime, FeatureExtractionStatus]] = []
        self.created: list[str] = []
        self._serial = 0

    # What a user sees

    @property
    def status(self) -> FeatureExtractionStatus:
        return FeatureExtractionStatus.model_validate(self.body.get("status") or {})

    def condition(self, kind: ConditionType) -> Condition:
        condition = conditions.find(self.status.conditions, kind)
        assert condition, f"{kind} was never written"
        return condition

    def state(self, kind: ConditionType) -> tuple[str, str]:
        """Status and reason of a condition."""
        condition = self.condition(kind)
        return condition.status, condition.reason

    @property
    def driver(self) -> Pod:
        (alive,) = [pod for pod in self.pods.values() if pod.role == DRIVER and not pod.ended]
        return alive

    def observed(self, refusal: Refusal | None = None) -> Observed:
        """The pods, and whether one has the name of the current driver without being known as such."""
        attempt, recorded = max(self.status.attempt, 1), self.status.driver
        uid = recorded.pod_uid if recorded and recorded.pod_uid else self.known.get(attempt, "")
        named = self.pods.get(driver_name(NAME, attempt))
        impostor = named if named and named.uid != uid else None
        pods = tuple(self.pods.values())
        absent = frozenset(self.absent_secrets)
        files, known = frozenset(self.files), dict(self.known)
        own = (pods, files, known, impostor, refusal, self.mount_failure, absent, self.quota)
        return Observed(*own, models=dict(self.models))

    # What the operator does

    def reconcile(self, steps: int | None = None) -> Plan:
        """Reconciles once; dies after this many steps, if given."""
        try:
            return self._reconcile(steps)
        except DiedError:
            self.known = {}
            raise

    def _reconcile(self, steps: int | None) -> Plan:
        refusal, left = None, steps
        for _ in range(6):
            decision = plan(self.body, self.observed(refusal), self.now, self.settings)
            if not decision.actions:
                break
            for action in decision.actions:
                left = self._step(left)
                refusal = self.act(action) or refusal
        else:
            raise AssertionError(f"never runs out of actions: {decision.actions}")
        if decision.status != self.status:
            self._step(left)
            self.body["status"] = decision.status.to_wire()
            self.written.append((self.now, decision.status))
        return decision

    def converge(self) -> Plan:
        """Reconciles until no further reconcile is due at once."""
        for _ in range(20):
            decision = self.reconcile()
            if decision.requeue_after != 0:
                return decision
        raise AssertionError(f"never converges: {self.status}")

    def act(self, action: Action) -> Refusal | None:
        if isinstance(action, CreateAttempt):
            living = {pod.attempt for pod in self.pods.values() if not pod.ended}
            assert self.files <= {action.attempt} | living, "files of earlier attempts pile up"
            self.files.add(action.attempt)
            if self.refusal:
                return self.refusal
            name = driver_name(NAME, action.attempt)
            if name not in self.pods:
                self._create(name, action.attempt, DRIVER, "u-1")
                spec = resource_of(self.body).spec
                executors = None if spec.execution.max_executors else spec.execution.wanted
                self._update(name, applied=digests_from(annotation_of(spec)), executors=executors)
                self.known = {action.attempt: self.pods[name].uid}
        elif isinstance(action, DeletePod):
            pod = self.pods.get(action.name)
            if pod and pod.uid == action.uid:
                self.delete(action.name)
        elif isinstance(action, ScaleExecutors):
            if self.refusal:
                return self.refusal
            pod = self.pods[action.name]
            assert (pod.uid, pod.ended, pod.deleting) == (action.uid, False, False)
            assert pod.executors != action.count
            self._update(action.name, executors=action.count)
        elif isinstance(action, DeleteFiles):
            mounted = [pod.name for pod in self.pods.values() if pod.attempt == action.attempt and not pod.ended]
            assert not mounted, f"files are deleted that {mounted} mount"
            self.files.discard(action.attempt)
        else:
            raise AssertionError(f"{action} of a run without a queue")
        return None

    @staticmethod
    def _step(left: int | None) -> int | None:
        if left == 0:
            raise DiedError
        return None if left is None else left - 1

    # What happens around the operator

    def advance(self, seconds: float) -> World:
        self.now += timedelta(seconds=seconds)
        return self

    def change(self, **spec: Any) -> World:
        self.body["spec"] |= spec
        self.body["metadata"]["generation"] += 1
        return self

    def wait(self, reason: str, message: str = "", scheduled: bool = False) -> World:
        at = (self.driver.scheduled_at or self.now) if scheduled else None
        self._update(self.driver.name, waiting=PodWaiting(reason, message), scheduled=scheduled, scheduled_at=at)
        return self

    def run(self) -> World:
        name = self.driver.name
        self._update(
            name, phase="Running", ready=True, scheduled=True, waiting=None, address="10.1.1.1", started=self.now
        )
        return self

    def report(self, done: int, total: int = 100, **more: Any) -> World:
        self._update(self.driver.name, progress=Progress(images_done=done, images_total=total, **more))
        return self

    def executors(self, ready: int, waiting: int = 0) -> World:
        attempt, owner = self.driver.attempt, self.driver.uid
        for number in range(ready + waiting):
            name = f"{NAME}-{attempt}-exec-{number}"
            if name not in self.pods:
                self._create(name, attempt, EXECUTOR, owner)
            if number < ready:
                self._update(name, phase="Running", ready=True)
        return self

    def end(self, code: int = 0, message: str = "", **changes: Any) -> World:
        phase = "Succeeded" if code == 0 else "Failed"
        exit_ = Exit(code, changes.pop("reason", ""), message, self.now)
        self._update(self.driver.name, phase=phase, ready=False, exit=exit_, **changes)
        return self

    def succeed(self, count: int = 100) -> World:
        table = {"uri": "s3://features/table", "kind": "features", "format": "delta", "recordCount": count, "bytes": 9}
        progress = {"imagesDone": count, "imagesTotal": count}
        return self.end(0, json.dumps({"result": "Succeeded", "progress": progress, "outputs": [table]}))

    def fail(self, class_: str = "StoreUnreachable", retryable: bool = True) -> World:
        failure = {"class": class_, "message": "no answer"}
        message = json.dumps({"result": "Failed", "failure": failure, "retryable": retryable})
        return self.end(1 if retryable else 2, message)

    def delete(self, name: str) -> World:
        """Deletes a pod: immediately, unless it is running and has to terminate first."""
        if self.pods[name].phase == "Running":
            self._update(name, deleting=True)
        else:
            del self.pods[name]
        return self.collect()

    def collect(self) -> World:
        """Deletes executors without a driver, as the garbage collector does."""
        drivers = {pod.attempt for pod in self.pods.values() if pod.role == DRIVER}
        self.pods = {name: pod for name, pod in self.pods.items() if pod.role == DRIVER or pod.attempt in drivers}
        return self

    def finish_deletions(self) -> World:
        self.pods = {name: pod for name, pod in self.pods.items() if not pod.deleting}
        return self.collect()

    def _create(self, name: str, attempt: int, role: str, owner: str) -> None:
        assert name not in self.pods
        recorded = self.status.driver
        assert recorded is None or recorded.pod_name != name, f"{name} is recorded and created again"
        self._serial += 1
        self.pods[name] = Pod(name, f"p-{self._serial}", attempt, role, owner, created=self.now)
        self.created.append(name)

    def _update(self, name: str, **changes: Any) -> None:
        self.pods[name] = replace(self.pods[name], **changes)


def running(settings: Settings | None = None, **spec: Any) -> World:
    """A world whose first driver is running."""
    world = World(settings, **spec)
    world.converge()
    world.run().converge()
    return world
