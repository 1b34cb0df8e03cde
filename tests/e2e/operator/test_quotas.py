"""Runs share a namespace's quota on a real API server: each starts whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.operator.harness import Run, kubectl
from tests.e2e.polling import eventually

Start = Callable[..., Run]

SCRIPT = "gang, succeed 1"
CPU = "spark.kubernetes.executor.request.cores"


def shape(executors: int, cpu: str = "50m") -> dict[str, Any]:
    """Pods of 50m CPU and 64Mi each."""
    conf = {CPU: cpu}
    return {"executors": executors, "driverCpu": "50m", "memory": "64Mi", "driverMemory": "64Mi", "sparkConf": conf}


@pytest.fixture
def limited(request: pytest.FixtureRequest) -> Iterator[Callable[..., None]]:
    """Applies ResourceQuotas and LimitRanges, and deletes them afterwards."""
    applied: list[tuple[str, str]] = []

    def apply(kind: str, name: str, **spec: Any) -> None:
        kubectl(
            "apply", "--filename=-", stdin={"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        )
        applied.append((kind, name))
        if kind == "ResourceQuota":
            found = ["get", kind, name, "--output=jsonpath={.status.hard}"]
            eventually(lambda: kubectl(*found).stdout, "a quota with a status")

    yield apply
    for kind, name in applied:
        kubectl("delete", kind, name, "--ignore-not-found")


@pytest.mark.parametrize(
    ("hard", "executors"),
    [({"pods": "3"}, 2), ({"pods": "5"}, 1), ({"requests.cpu": "250m"}, 3), ({"requests.memory": "200Mi"}, 1)],
    ids=["one gang at a time", "two gangs at a time", "by CPU", "by memory"],
)
def test_ten_runs_share_a_quota_and_none_gets_stuck(
    start: Start, limited: Callable[..., None], hard: dict[str, str], executors: int
) -> None:
    eventually(lambda: not kubectl("get", "pods", "--output=name").stdout, "no pods of earlier tests")
    limited("ResourceQuota", "team", hard=hard)
    runs = [start(SCRIPT, execution=shape(executors)) for _ in range(10)]
    for run in runs:
        run.until("Succeeded", "True", patience=240)
    statuses = [run.status for run in runs]
    assert [status["attempt"] for status in statuses] == [1] * 10
    assert [status["failedAttempts"] for status in statuses] == [0] * 10
    ended = [status["completionTime"] for status in statuses]
    assert ended == sorted(ended)
    assert any("Queued" in run.events() or "QuotaExceeded" in run.events() for run in runs)
