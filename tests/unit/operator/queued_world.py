"""A world with Kueue: it reserves quota for the run's Workload, takes it back, and checks what is done with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from featx_operator import kueue, pod_sets
from featx_operator.allowed import Allowed, Tenants
from featx_operator.decisions.run import (
    Action,
    CreateWorkload,
    DeleteWorkload,
    MoveWorkload,
    ReclaimExecutors,
    ReleaseQuota,
    ReportWorkload,
)
from featx_operator.objects import resource_of
from featx_operator.settings import Settings
from featx_operator.state.observed import Observed, Refusal
from featx_operator.state.workload import Assignment, Flavor, Workload, WorkloadCondition, pod_set_from

from tests.unit.operator.world import NAME, World

SETTINGS = Settings(kueue=True, allowed=Tenants(allowed=Allowed(workload_priority_classes=("high", "low"))))


class QueuedWorld(World):
    """A run in the queue `team`, and Kueue."""

    def __init__(self, settings: Settings = SETTINGS, **spec: Any) -> None:
        super().__init__(settings, **spec)
        execution = {"memory": "2Gi", **self.body["spec"].get("execution", {})}
        self.body["spec"]["execution"] = execution
        self.body["metadata"]["labels"] = {kueue.QUEUE_LABEL: "team"}
        self.workload: Workload | None = None
        self.flavors = {"spot": Flavor({"pool": "spot"}, ({"key": "spot", "operator": "Exists"},))}
        self.actions: list[Action] = []
        self._workloads = 0

    def label(self, name: str, value: str | None) -> QueuedWorld:
        labels = {**self.body["metadata"]["labels"], name: value}
        self.body["metadata"]["labels"] = {key: text for key, text in labels.items() if text}
        return self

    def observed(self, refusal: Refusal | None = None) -> Observed:
        return replace(super().observed(refusal), workload=self.workload, flavors=self.flavors)

    def act(self, action: Action) -> Refusal | None:
        self.actions.append(action)
        if isinstance(action, CreateWorkload):
            assert self.workload is None
            self._workloads += 1
            sets = pod_sets.pod_sets(resource_of(self.body), self.settings.job_image)
            self.workload = Workload(
                kueue.workload_name(NAME, "u-1"),
                f"w-{self._workloads}",
                "u-1",
                queue=action.queue,
                priority_class=action.priority_class,
                pod_sets={item["name"]: pod_set_from(item) for item in sets},
            )
            return None
        if not isinstance(action, DeleteWorkload | MoveWorkload | ReclaimExecutors | ReleaseQuota | ReportWorkload):
            return super().act(action)
        assert self.workload
        assert (self.workload.name, self.workload.uid) == (action.name, action.uid)
        if isinstance(action, DeleteWorkload):
            assert not self.alive(), "quota is given back while pods use it"
            self.workload = None
        elif isinstance(action, MoveWorkload):
            self.workload = replace(self.workload, queue=action.queue, priority_class=action.priority_class)
        elif isinstance(action, ReclaimExecutors):
            assert action.count > self.workload.reclaimable
            self.workload = replace(self.workload, reclaimable=action.count)
        elif isinstance(action, ReleaseQuota):
            assert not self.alive(), "quota is given back while pods use it"
            self.set("QuotaReserved", "False", "Pending", action.message)
            self.set("Admitted", "False", "NoReservation")
            self.set("PodsReady", "False", "WaitForStart")
            self.set("Requeued", str(action.requeued), action.reason)
            self.workload = replace(self.workload, assignments={})
        else:
            self.set(action.kind, action.status, action.reason, action.message)
        return None

    def alive(self) -> list[str]:
        return [pod.name for pod in self.pods.values() if not pod.ended]

    # What Kueue does

    def set(self, kind: str, status: str, reason: str, message: str = "") -> QueuedWorld:
        assert self.workload
        condition = WorkloadCondition(status, reason, message, self.now)
        self.workload = replace(self.workload, conditions={**self.workload.conditions, kind: condition})
        return self

    def pend(self, message: str) -> QueuedWorld:
        return self.set("QuotaReserved", "False", "Pending", message)

    def admit(self, count: int | None = None) -> QueuedWorld:
        assert self.workload
        executors = self.workload.pod_sets["executor"].count if count is None else count
        assigned = {"driver": Assignment(("spot",), 1), "executor": Assignment(("spot",), executors)}
        self.workload = replace(self.workload, assignments=assigned, cluster_queue="cluster")
        if self.workload.is_true("Evicted"):
            self.set("Evicted", "False", "QuotaReserved")
        return self.set("QuotaReserved", "True", "QuotaReserved").set("Admitted", "True", "Admitted")

    def evict(self, reason: str = "Preempted", message: str = "to make room") -> QueuedWorld:
        return self.set("Evicted", "True", reason, message)


def admitted(**spec: Any) -> QueuedWorld:
    """A world whose run is admitted, and its driver running."""
    world = QueuedWorld(**spec)
    world.converge()
    world.admit().converge()
    world.run().converge()
    return world
