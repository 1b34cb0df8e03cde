"""Node pools: the nodes that runs choose by name (`spec.execution.nodePool`), as the chart's values describe them.

The chart resolves a pool's label and CPU features into one node selector, since its admission policy holds executors to
the same one. A pool that is allowed but not described has the label `featx.dev/node-pool` with its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from featx_api.contract import LABEL_ROLE, LABEL_UID, NODE_POOL_LABEL
from featx_api.model import ApiModel
from pydantic import Field

LabelKey = Annotated[
    str, Field(max_length=317, pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")
]
LabelText = Annotated[str, Field(max_length=63, pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")]


class Toleration(ApiModel):
    """A taint that pods tolerate."""

    key: LabelKey
    operator: Literal["Equal", "Exists"] = "Equal"
    value: LabelText | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None


class Nodes(ApiModel):
    """Which nodes pods are scheduled on.

    Attributes:
        node_selector: Labels of the nodes.
        tolerations: Taints of the nodes.
    """

    node_selector: dict[LabelKey, LabelText] = Field(min_length=1)
    tolerations: tuple[Toleration, ...] = ()

    def placement(self) -> dict[str, Any]:
        """The fields of a pod's spec."""
        tolerations = [toleration.to_wire() for toleration in self.tolerations]
        return {"nodeSelector": dict(self.node_selector), **({"tolerations": tolerations} if tolerations else {})}


class NodePool(Nodes):
    """Nodes of one kind.

    Attributes:
        drivers: Where the drivers of runs in this pool go, if not into the pool: a spot node may go away at any time.
        arrangement: Whether executors of a run are spread over the values of `topology_key`, packed into as few as
            possible, or placed as the scheduler likes.
        topology_key: Label of nodes.
        exclusive_cores: Executors have whole cores as requests and limits. A kubelet with the static CPU manager then
            pins them.
        cores_per_socket: Most cores of an executor: one that spans sockets reads its weights from the other's memory.
    """

    drivers: Nodes | None = None
    arrangement: Literal["any", "spread", "pack"] = "any"
    topology_key: LabelKey = "kubernetes.io/hostname"
    exclusive_cores: bool = False
    cores_per_socket: int | None = Field(None, ge=1)

    def driver_placement(self) -> dict[str, Any]:
        """The fields of a driver's spec."""
        return (self.drivers or self).placement()

    def executor_placement(self, labels: Mapping[str, str]) -> dict[str, Any]:
        """The fields of an executor's spec.

        Args:
            labels: The executor's.
        """
        same_run = {"matchLabels": {name: labels[name] for name in (LABEL_ROLE, LABEL_UID)}}
        placement = self.placement()
        if self.arrangement == "spread":
            constraint = {
                "maxSkew": 1,
                "topologyKey": self.topology_key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": same_run,
            }
            placement["topologySpreadConstraints"] = [constraint]
        if self.arrangement == "pack":
            term = {"topologyKey": self.topology_key, "labelSelector": same_run}
            preferred = [{"weight": 100, "podAffinityTerm": term}]
            placement["affinity"] = {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
        return placement


def labelled(name: str) -> NodePool:
    """The pool of the nodes whose label `featx.dev/node-pool` has this value."""
    return NodePool(node_selector={NODE_POOL_LABEL: name})
