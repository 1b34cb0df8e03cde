"""Where Kueue has admitted a run's pods to: what its flavors and admission checks add to driver and executors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from featx_api.contract import DRIVER, EXECUTOR

from featx_operator import kueue
from featx_operator.state.workload import Flavor, Placement, Placements, Workload


class ConflictError(Exception):
    """Two parts of an admission, or a run and its admission, ask for different nodes."""


def placements_of(workload: Workload, flavors: Mapping[str, Flavor]) -> Placements:
    """What an admission adds to the pods of a run.

    Args:
        workload: The admitted Workload.
        flavors: At least those that it was assigned, by name.

    Raises:
        ConflictError: No node is right.
    """
    driver, executor = (_placement(workload, flavors, name) for name in (DRIVER, EXECUTOR))
    return Placements(driver, executor, workload.executors)


def _placement(workload: Workload, flavors: Mapping[str, Flavor], name: str) -> Placement:
    assignment, pod_set = workload.assignments.get(name), workload.pod_sets.get(name)
    selector = dict(pod_set.node_selector) if pod_set else {}
    labels, annotations = {kueue.POD_SET_LABEL: name}, dict[str, str]()
    tolerations: list[Mapping[str, Any]] = []
    for flavor in assignment.flavors if assignment else ():
        _merge(selector, flavors[flavor].node_labels, f"ResourceFlavor {flavor}")
        tolerations += [item for item in flavors[flavor].tolerations if item not in tolerations]
    for update in workload.updates.get(name, ()):
        _merge(selector, update.node_selector, "an admission check")
        _merge(labels, update.labels, "an admission check")
        _merge(annotations, update.annotations, "an admission check")
        tolerations += [item for item in update.tolerations if item not in tolerations]
    return Placement(labels, annotations, selector, tuple(tolerations))


def _merge(into: dict[str, str], added: Mapping[str, str], origin: str) -> None:
    for key, value in added.items():
        if into.setdefault(key, value) != value:
            raise ConflictError(f"{origin} asks for {key}={value}, and the rest of the run for {key}={into[key]}")
