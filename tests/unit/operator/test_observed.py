"""Pods as the API server sends them, reduced to what decisions need."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from featx_operator.state.observed import Exit, Pod, PodWaiting, pod_from

ENDED = {"terminated": {"exitCode": 2, "reason": "Error", "message": "{}", "finishedAt": "2026-11-25T12:00:00Z"}}


def observe(role: str = "driver", attempt: str = "2", **status: Any) -> Pod:
    labels = {"featx.dev/attempt": attempt, "featx.dev/role": role}
    metadata = {"name": "catalog-2-driver", "uid": "p-1", "resourceVersion": "7", "labels": labels}
    return pod_from({"metadata": metadata, "status": status})


def test_identity_and_version_are_read_from_the_metadata() -> None:
    assert observe() == Pod("catalog-2-driver", "p-1", 2, "driver", version=7)


def test_an_unscheduled_pod_waits_for_what_the_scheduler_reports() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    pod = observe(phase="Pending", conditions=[condition])
    assert (pod.scheduled, pod.waiting) == (False, PodWaiting("Unschedulable", "0/3 nodes"))


def test_a_scheduled_pod_waits_for_what_the_kubelet_reports() -> None:
    waiting = {"name": "driver", "state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}
    scheduled = {"type": "PodScheduled", "status": "True"}
    pod = observe(phase="Pending", conditions=[scheduled], containerStatuses=[waiting])
    assert (pod.scheduled, pod.waiting) == (True, PodWaiting("ErrImagePull", "no such image"))


def test_the_exit_is_that_of_the_drivers_container_even_beside_a_sidecar() -> None:
    sidecar = {"name": "a-proxy", "state": {"terminated": {"exitCode": 0}}}
    pod = observe(phase="Failed", containerStatuses=[sidecar, {"name": "driver", "state": ENDED}])
    assert pod.exit == Exit(2, "Error", "{}", datetime(2026, 11, 25, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    "status",
    [
        {"conditions": [{"type": "DisruptionTarget", "reason": "Evicted", "message": "low on memory"}]},
        {"reason": "Evicted", "message": "low on memory"},
    ],
)
def test_an_eviction_is_read_from_the_condition_or_the_status(status: dict[str, Any]) -> None:
    pod = observe(phase="Failed", **status)
    assert (pod.disruption, pod.message) == ("Evicted", "low on memory")


def test_a_malformed_label_of_a_foreign_pod_is_no_error() -> None:
    assert observe(attempt="first").attempt == 0
