"""Pods as the API server sends them, reduced to what decisions need."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from featx_operator.state.observed import Exit, Pod, PodWaiting, pod_from

ENDED = {"terminated": {"exitCode": 2, "reason": "Error", "message": "{}", "finishedAt": "2026-11-25T12:00:00Z"}}


def metadata(role: str, attempt: str) -> dict[str, Any]:
    labels = {
        "featx.dev/name": "catalog",
        "featx.dev/uid": "u-1",
        "featx.dev/attempt": attempt,
        "featx.dev/role": role,
    }
    owner = {"kind": "FeatureExtraction", "name": "catalog", "uid": "u-1", "controller": True}
    return {
        "namespace": "default",
        "name": "catalog-2-driver",
        "uid": "p-1",
        "resourceVersion": "7",
        "labels": labels,
        "ownerReferences": [owner],
    }


def observe(role: str = "driver", attempt: str = "2", **status: Any) -> Pod:
    pod = pod_from({"metadata": metadata(role, attempt), "status": status})
    assert pod
    return pod


def test_identity_and_version_are_read_from_the_metadata() -> None:
    assert observe() == Pod("catalog-2-driver", "p-1", 2, "driver", "u-1", version=7)


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


@pytest.mark.parametrize("attempt", ["first", "", "0", "-1", "1.5", "²", "٢", "9" * 63, "2\n", " 2", "02", "0x2"])
def test_a_pod_whose_attempt_can_not_be_parsed_is_foreign(attempt: str) -> None:
    assert pod_from({"metadata": metadata("driver", attempt)}) is None


@pytest.mark.parametrize(
    "change",
    [
        {"name": "catalog-3-driver"},
        {"name": "other-2-driver"},
        {"labels": None},
        {"labels": {"featx.dev/uid": "u-1"}},
        {"ownerReferences": None},
        {"ownerReferences": [{"kind": "FeatureExtraction", "name": "catalog", "uid": "u-1"}]},
        {"ownerReferences": [{"kind": "FeatureExtraction", "name": "catalog", "uid": "u-2", "controller": True}]},
        {"ownerReferences": [{"kind": "Job", "name": "catalog", "uid": "u-1", "controller": True}]},
    ],
)
def test_a_pod_without_the_name_labels_and_owner_of_a_driver_is_foreign(change: dict[str, Any]) -> None:
    assert pod_from({"metadata": metadata("driver", "2") | change}) is None


@pytest.mark.parametrize("role", ["", "job", "Driver", "authentication"])
def test_a_pod_of_another_role_is_foreign(role: str) -> None:
    assert pod_from({"metadata": metadata(role, "2")}) is None


def test_an_executor_belongs_to_the_driver_that_controls_it() -> None:
    owner = {"kind": "Pod", "name": "catalog-2-driver", "uid": "p-1", "controller": True}
    body = {"metadata": metadata("executor", "2") | {"name": "catalog-2-exec-1", "ownerReferences": [owner]}}
    executor = pod_from(body)
    assert executor and (executor.role, executor.owner) == ("executor", "p-1")
    body["metadata"]["ownerReferences"] = [owner | {"name": "catalog-1-driver"}]
    assert pod_from(body) is None


def test_words_of_the_cluster_are_bounded_and_printable() -> None:
    terminated = {"exitCode": 1, "reason": "R" * 10_000, "message": "\x1b[2J" * 100_000}
    condition = {"type": "DisruptionTarget", "reason": "\ud800" * 10_000, "message": "\u202e" * 100_000}
    statuses = [{"name": "driver", "state": {"terminated": terminated}}]
    pod = observe(phase="Failed", conditions=[condition], containerStatuses=statuses)
    assert pod.exit and len(pod.exit.reason) <= 128 and len(pod.exit.message) <= 4096
    assert (len(pod.disruption), len(pod.message)) == (128, 1024)
    assert all(text.isprintable() for text in (pod.exit.reason, pod.exit.message, pod.disruption, pod.message))


def test_when_a_pod_got_its_node_and_its_container_started_is_read() -> None:
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-25T12:00:00Z"}
    running = {"name": "driver", "state": {"running": {"startedAt": "2026-11-25T12:01:00Z"}}}
    pod = observe(phase="Running", conditions=[scheduled], containerStatuses=[running])
    assert pod.scheduled_at == datetime(2026, 11, 25, 12, tzinfo=UTC)
    assert pod.started == datetime(2026, 11, 25, 12, 1, tzinfo=UTC)
    assert observe(conditions=[{**scheduled, "status": "False"}]).scheduled_at is None


@pytest.mark.parametrize(
    "annotation", ["", "{", "[]", "7", '{"limits.megapixels": 3}', "[" * 3000, '{"a": "' + "x" * 5000 + '"}']
)
def test_a_malformed_record_of_the_spec_is_no_record(annotation: str) -> None:
    body = {"metadata": {**metadata("driver", "2"), "annotations": {"featx.dev/applied": annotation}}, "status": {}}
    pod = pod_from(body)
    assert pod and pod.applied is None
