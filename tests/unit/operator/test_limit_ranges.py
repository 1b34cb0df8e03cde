"""What LimitRanges do to the pods of a run is known before any is created."""

from __future__ import annotations

from typing import Any

import pytest
from featx_operator.state.quotas import Limits, QuotaView, limits_from

from tests.unit.operator.test_quota import quota, world


def limits(kind: str = "Container", **item: dict[str, str]) -> tuple[Limits, ...]:
    body: dict[str, Any] = {"metadata": {"name": "team-limits"}, "spec": {"limits": [{"type": kind, **item}]}}
    return limits_from(body)


CASES: dict[str, tuple[tuple[Limits, ...], dict[str, Any], str]] = {
    "a driver above the maximum": (
        limits(max={"memory": "512Mi"}),
        {},
        "the driver's memory request is 1Gi, more than the maximum of LimitRange team-limits, 512Mi: "
        "change spec.execution.driverMemory, or ask the platform team",
    ),
    "an executor above the maximum": (
        limits("Pod", max={"memory": "2Gi"}),
        {"memory": "3Gi"},
        "the executor's memory request is 3Gi, more than the maximum of LimitRange team-limits, 2Gi: "
        "change spec.execution.memory, or ask the platform team",
    ),
    "a driver below the minimum": (
        limits(min={"cpu": "500m"}),
        {},
        "the driver's CPU request is 0.25, less than the minimum of LimitRange team-limits, 0.5: "
        "change spec.execution.driverCpu, or ask the platform team",
    ),
    "no CPU limit where there is a maximum": (
        limits("Pod", max={"cpu": "4"}),
        {},
        "the driver has no CPU limit, which LimitRange team-limits calls for: set spec.execution.cpuLimits: true",
    ),
    "a default limit below the request": (
        limits(default={"cpu": "500m"}),
        {"cores": 2},
        "the executor requests 2 CPU, more than the default limit of a LimitRange, 0.5: "
        "set spec.execution.cpuLimits: true",
    ),
    "a limit that is too far from its request": (
        limits(maxLimitRequestRatio={"cpu": "2"}),
        {"cpuLimits": True},
        "the driver's CPU limit is 4 times its request, more than the ratio of LimitRange team-limits, 2: "
        "change spec.execution.driverCpu, or ask the platform team",
    ),
}


@pytest.mark.parametrize(("items", "execution", "message"), CASES.values(), ids=CASES)
def test_pods_that_would_be_refused_are_not_created(
    items: tuple[Limits, ...], execution: dict[str, Any], message: str
) -> None:
    run = world(limits=items, execution=execution)
    run.converge()
    assert run.state("Stalled") == ("True", "LimitRangeViolated")
    assert run.condition("Stalled").message == message
    assert run.created == []


@pytest.mark.parametrize(
    ("items", "execution"),
    [
        (limits(max={"memory": "1Gi"}, min={"memory": "1Gi"}), {}),
        (limits(default={"cpu": "4"}, defaultRequest={"cpu": "2"}), {}),
        (limits(max={"cpu": "1"}), {"cpuLimits": True}),
        (limits(maxLimitRequestRatio={"cpu": "4"}), {"cpuLimits": True}),
        (limits(maxLimitRequestRatio={"memory": "1"}), {}),
        (limits("PersistentVolumeClaim", max={"storage": "1Gi"}), {}),
    ],
)
def test_pods_within_bounds_are_created(items: tuple[Limits, ...], execution: dict[str, Any]) -> None:
    run = world(limits=items, execution=execution)
    run.converge()
    assert run.created == ["catalog-1-driver"]


def test_defaults_of_limit_ranges_count_towards_quotas() -> None:
    defaults = limits(default={"ephemeral-storage": "2Gi", "cpu": "2"}, defaultRequest={"ephemeral-storage": "1Gi"})
    run = world(quota({"requests.ephemeral-storage": "3Gi"}), limits=defaults)
    run.converge()
    assert "4Gi ephemeral storage (the limit is 3Gi" in run.condition("Stalled").message
    run.quota = QuotaView((quota({"limits.cpu": "8", "requests.ephemeral-storage": "4Gi"}),), defaults)
    run.converge()
    assert run.created == ["catalog-1-driver"]


def test_without_a_default_nothing_is_counted_of_storage() -> None:
    run = world(quota({"requests.ephemeral-storage": "0"}))
    run.converge()
    assert run.created == ["catalog-1-driver"]
