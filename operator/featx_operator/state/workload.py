"""The Kueue Workload of one run, reduced to what decisions need.

Whoever may create Workloads may write one with the name of ours, so it counts only if the run controls it and if it
asks for what the run will use (`featx_operator.pod_sets`). Numbers of pods and texts are bounded where they enter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any, TypeVar

from featx_api.contract import DRIVER, EXECUTOR
from featx_api.text import shortened

from featx_operator.objects import Body, controller_of
from featx_operator.state.words import EPOCH, REASON_LIMIT, TEXT_LIMIT, time_of

POD_SETS = (DRIVER, EXECUTOR)
CONDITIONS = ("QuotaReserved", "Admitted", "Evicted", "Finished", "PodsReady")
MOST_FLAVORS = 8  # of one pod set: one per resource
MOST_ITEMS = 16  # of what a pod set lists: ours have fewer, so one that is cut is not ours
_QUANTITY = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)(m|[kMGTP]|[KMGTP]i)?")
_UNITS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTP", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTP", 1)},
}


Item = TypeVar("Item")


@dataclass(frozen=True)
class WorkloadCondition:
    """A condition of a Workload, in Kueue's words."""

    status: str
    reason: str = ""
    message: str = ""
    at: datetime = EPOCH


@dataclass(frozen=True)
class PodSet:
    """Pods of one kind: how many, and what each requests.

    Attributes:
        least: Fewest pods that an admission may grant, or None if it has to grant all.
    """

    name: str
    count: int
    requests: Mapping[str, Decimal]
    node_selector: Mapping[str, str]
    least: int | None = None


@dataclass(frozen=True)
class Placement:
    """What an admission adds to the pods of one pod set."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Placements:
    """What an admission adds to the pods of a run.

    Attributes:
        most_executors: Number of executors that it covers; None without an admission.
    """

    driver: Placement = Placement()
    executor: Placement = Placement()
    most_executors: int | None = None


@dataclass(frozen=True)
class Flavor:
    """A ResourceFlavor: nodes that have these labels, and taints that these tolerations tolerate."""

    node_labels: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Assignment:
    """What a pod set was granted.

    Attributes:
        topology: Whether the pods have to be placed by Kueue's topology-aware scheduling.
    """

    flavors: tuple[str, ...] = ()
    count: int | None = None
    topology: bool = False


@dataclass(frozen=True)
class Workload:
    """A Workload.

    Attributes:
        owner: Uid of its controller, or empty.
        conditions: Those of `CONDITIONS` that it has.
        pod_sets: By name.
        assignments: By the name of their pod set; empty unless quota is reserved.
        updates: What admission checks add, by the name of the pod set.
        reclaimable: Executors whose quota was given back.
    """

    name: str
    uid: str
    owner: str = ""
    version: int = 0
    deleting: bool = False
    queue: str = ""
    priority_class: str = ""
    active: bool = True
    cluster_queue: str = ""
    conditions: Mapping[str, WorkloadCondition] = field(default_factory=dict)
    pod_sets: Mapping[str, PodSet] = field(default_factory=dict)
    assignments: Mapping[str, Assignment] = field(default_factory=dict)
    updates: Mapping[str, tuple[Placement, ...]] = field(default_factory=dict)
    reclaimable: int = 0

    def is_true(self, kind: str) -> bool:
        """Whether it has a condition, and it is True."""
        condition = self.conditions.get(kind)
        return condition is not None and condition.status == "True"

    @property
    def reserved(self) -> bool:
        """Whether it holds quota."""
        return self.is_true("QuotaReserved") and not self.is_true("Finished")

    @property
    def admitted(self) -> bool:
        """Whether its pods may run."""
        return self.is_true("Admitted") and self.reserved and not self.is_true("Evicted") and not self.deleting

    @property
    def executors(self) -> int:
        """Number of executors that it covers, without those whose quota was given back."""
        granted, wanted = self.assignments.get(EXECUTOR), self.pod_sets.get(EXECUTOR)
        count = granted.count if granted and granted.count is not None else wanted.count if wanted else 0
        return max(count - self.reclaimable, 0)

    def flavors(self) -> frozenset[str]:
        """Names of all flavors that its pods were assigned."""
        return frozenset(name for assignment in self.assignments.values() for name in assignment.flavors)


def workload_from(body: Body) -> Workload:
    """Reduces a Workload, as the API server sends it, to what decisions need."""
    metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    controller, admission = controller_of(body), status.get("admission") or {}
    conditions = {item["type"]: item for item in status.get("conditions") or ()}
    reclaimable = {item["name"]: int(item["count"]) for item in status.get("reclaimablePods") or ()}
    assignments = {item["name"]: item for item in admission.get("podSetAssignments") or ()}
    return Workload(
        name=metadata["name"],
        uid=metadata["uid"],
        owner=controller.uid if controller else "",
        version=int(metadata.get("resourceVersion") or 0),
        deleting=bool(metadata.get("deletionTimestamp")),
        queue=spec.get("queueName") or "",
        priority_class=(spec.get("priorityClassRef") or {}).get("name") or "",
        active=spec.get("active") is not False,
        cluster_queue=shortened(admission.get("clusterQueue") or "", REASON_LIMIT),
        conditions={kind: _condition(conditions[kind]) for kind in CONDITIONS if kind in conditions},
        pod_sets={item["name"]: pod_set_from(item) for item in _first(spec.get("podSets"))},
        assignments={name: _assignment(assignments[name]) for name in POD_SETS if name in assignments},
        updates=_updates(status.get("admissionChecks") or ()),
        reclaimable=reclaimable.get(EXECUTOR, 0),
    )


def flavor_from(body: Body) -> Flavor:
    """Reduces a ResourceFlavor."""
    spec = body.get("spec") or {}
    return Flavor(dict(spec.get("nodeLabels") or {}), tuple(spec.get("tolerations") or ()))


def pod_set_from(body: Body) -> PodSet:
    """Reduces a pod set: the requests of all containers of its template together."""
    template = (body.get("template") or {}).get("spec") or {}
    requests: dict[str, Decimal] = {}
    for container in _first(template.get("containers")):
        stated = (container.get("resources") or {}).get("requests") or {}
        for resource, text in _first(stated.items()):
            requests[resource] = requests.get(resource, Decimal(0)) + quantity(str(text))
    count = body.get("count")
    return PodSet(
        body["name"],
        1 if count is None else int(count),
        requests,
        dict(_first((template.get("nodeSelector") or {}).items())),
        body.get("minCount"),
    )


def quantity(text: str) -> Decimal:
    """Parses a quantity of Kubernetes; NaN, which equals nothing, if it has an unusual form."""
    match = _QUANTITY.fullmatch(text)
    return Decimal(match[1]) * _UNITS[match[2] or ""] if match else Decimal("NaN")


def _first(items: Iterable[Item] | None) -> Iterable[Item]:
    return islice(items or (), MOST_ITEMS)


def _condition(body: Body) -> WorkloadCondition:
    return WorkloadCondition(
        body["status"],
        shortened(body.get("reason") or "", REASON_LIMIT),
        shortened(body.get("message") or "", TEXT_LIMIT),
        time_of(body.get("lastTransitionTime")) or EPOCH,
    )


def _assignment(body: Body) -> Assignment:
    flavors = sorted(set((body.get("flavors") or {}).values()))[:MOST_FLAVORS]
    topology = bool(body.get("topologyAssignment") or body.get("delayedTopologyRequest"))
    return Assignment(tuple(flavors), body.get("count"), topology)


def _updates(checks: Sequence[Body]) -> dict[str, tuple[Placement, ...]]:
    updates: dict[str, tuple[Placement, ...]] = {}
    for check in checks:
        for item in check.get("podSetUpdates") or ():
            placement = Placement(
                dict(item.get("labels") or {}),
                dict(item.get("annotations") or {}),
                dict(item.get("nodeSelector") or {}),
                tuple(item.get("tolerations") or ()),
            )
            updates[item["name"]] = (*updates.get(item["name"], ()), placement)
    return updates
