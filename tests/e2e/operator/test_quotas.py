"""Runs share a namespace's quota on a real API server: each starts whole or not at all."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from featx_api.resource import FeatureExtraction
from featx_operator import manifests
from featx_operator.admission import NONE_SECONDS
from featx_operator.cluster import quotas
from featx_operator.cluster.transport import ApiError, ApiServer
from featx_operator.decisions.gang import all_with_defaults, gang_of, refusals
from featx_operator.decisions.room import never, without_limits
from featx_operator.node_pools import NodePool
from featx_operator.state.quotas import Missing

from tests.e2e.operator.harness import IMAGE, NAMESPACE, Operator, Run, kubectl, scripted
from tests.e2e.polling import eventually
from tests.support.executor_pods import executor_pod

Start = Callable[..., Run]
Limit = Callable[..., None]

SCRIPT = "gang, succeed 1"
CPU = "spark.kubernetes.executor.request.cores"


def shape(executors: int, **execution: Any) -> dict[str, Any]:
    """Pods of 50m CPU and 64Mi each."""
    small = {"driverCpu": "50m", "memory": "64Mi", "driverMemory": "64Mi", "sparkConf": {CPU: "50m"}}
    return {"executors": executors, **small, **execution}


@pytest.fixture
def limit() -> Iterator[Limit]:
    """Applies ResourceQuotas and LimitRanges, and deletes them afterwards."""
    applied: list[tuple[str, str]] = []

    def apply(kind: str, name: str, **spec: Any) -> None:
        body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        kubectl("apply", "--filename=-", stdin=body)
        applied.append((kind, name))
        if kind == "ResourceQuota":
            output = "--output=jsonpath={.status.hard}"
            eventually(
                lambda: json.loads(kubectl("get", kind, name, output).stdout or "{}") == spec["hard"], "its status"
            )
        time.sleep(NONE_SECONDS)  # the operator may just have seen that there is none

    yield apply
    for kind, name in applied:
        kubectl("delete", kind, name, "--ignore-not-found")


@pytest.fixture
def empty() -> None:
    """Waits until no pod of earlier tests is left."""
    eventually(lambda: not kubectl("get", "pods", "--output=name").stdout, "no pods", 120)


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize(
    ("hard", "executors"),
    [({"pods": "3"}, 1), ({"requests.cpu": "250m", "count/secrets": "20"}, 3)],
    ids=["by pods", "by CPU"],
)
def test_ten_runs_share_a_quota_and_none_gets_stuck(
    start: Start, limit: Limit, hard: dict[str, str], executors: int
) -> None:
    limit("ResourceQuota", "team", hard=hard)
    runs = [start(SCRIPT, execution=shape(executors)) for _ in range(10)]
    for run in runs:
        run.until("Succeeded", "True", patience=300)
    statuses = [run.status for run in runs]
    assert [status["attempt"] for status in statuses] == [1] * 10
    assert [status["failedAttempts"] for status in statuses] == [0] * 10
    ended = [status["completionTime"] for status in statuses]
    assert ended == sorted(ended)
    assert {"Queued", "QuotaExceeded"} & {event for run in runs for event in run.events()}


@pytest.mark.usefixtures("empty")
def test_what_never_fits_is_reported_at_once_and_blocks_nobody(start: Start, limit: Limit) -> None:
    limit("ResourceQuota", "team", hard={"pods": "2"})
    large = start(SCRIPT, execution=shape(2)).until("Stalled", "True", "QuotaTooSmall")
    assert "need 3 pods (the limit is 2 in ResourceQuota team)" in large.condition("Stalled")["message"]
    start(SCRIPT, execution=shape(1)).until("Succeeded", "True")
    limit("ResourceQuota", "team", hard={"pods": "3"})
    large.until("Succeeded", "True")


@pytest.mark.usefixtures("empty")
def test_a_waiting_run_starts_soon_after_others_have_given_quota_back(start: Start, limit: Limit) -> None:
    limit("ResourceQuota", "team", hard={"pods": "2"})
    first = start("sleep 3600", execution=shape(1)).until("DriverReady", "True")
    second = start(SCRIPT, execution=shape(1)).until("QuotaReserved", "False", "QuotaExceeded")
    # The first one has no executor yet, but its room is not free.
    assert "2 pods (0 of 2 free in ResourceQuota team)" in second.condition("QuotaReserved")["message"]
    first.change(suspend=True).until("Suspended", "True")
    second.until("QuotaReserved", "True", patience=20).until("Succeeded", "True")


@pytest.mark.usefixtures("empty")
def test_a_namespace_that_limits_cpu_runs_with_cpu_limits(start: Start, limit: Limit) -> None:
    limit("ResourceQuota", "team", hard={"limits.cpu": "2"})
    limit("LimitRange", "team", limits=[{"type": "Container", "max": {"cpu": "1", "memory": "128Mi"}}])
    run = start(SCRIPT, execution=shape(1, driverMemory="256Mi")).until("Stalled", "True", "LimitRangeViolated")
    run.change(execution={"driverMemory": "64Mi", "cpuLimits": True}).until("Succeeded", "True", patience=120)
    (driver,) = run.pods("driver")
    assert driver.spec.containers[0].resources.limits == {"cpu": "1", "memory": "64Mi"}


@pytest.mark.usefixtures("empty")
def test_executors_whose_quota_others_have_taken_end_the_attempt(
    operator: Operator, start: Start, limit: Limit, kubeconfig: Any, tmp_path: Any
) -> None:
    operator.kill()
    quick = Operator(kubeconfig, tmp_path / "log", EXECUTOR_START_DEADLINE_SECONDS="5", BACKOFF_SECONDS="1").start()
    try:
        limit("ResourceQuota", "team", hard={"pods": "2"})
        run = start("await, gang, succeed 1|gang, succeed 1", execution=shape(1), backoffLimit=0).until(
            "DriverReady", "True"
        )
        limit("ResourceQuota", "team", hard={"pods": "1"})  # as if another pod had taken it
        run.proceed().until("QuotaReserved", "False", "ExecutorsNotStarted", patience=120)
        assert run.status["failure"]["class"] == "ExecutorsNotStarted"
        run.until("Stalled", "True", "QuotaTooSmall")
        eventually(lambda: run.drivers() == [], "the driver to be gone")
        limit("ResourceQuota", "team", hard={"pods": "2"})
        run.until("Succeeded", "True", patience=120)
        assert (run.status["failedAttempts"], run.status["attempt"]) == (0, 2)
    finally:
        quick.kill()
        operator.start()


BOUNDS = [
    {"max": {"cpu": "1"}},
    {"max": {"cpu": "300m"}},
    {"max": {"memory": "1Gi"}},
    {"max": {"memory": "64Mi"}},
    {"max": {"cpu": "2"}},
    {"max": {"cpu": "1500m"}},
    {"min": {"cpu": "300m"}},
    {"min": {"cpu": "100m", "memory": "64Mi"}},
    {"default": {"cpu": "200m"}},
    {"default": {"cpu": "1"}, "defaultRequest": {"cpu": "100m"}},
    {"default": {"ephemeral-storage": "1Gi"}, "max": {"ephemeral-storage": "2Gi"}},
    {"maxLimitRequestRatio": {"cpu": "3"}},
    {"maxLimitRequestRatio": {"memory": "1"}},
    {"maxLimitRequestRatio": {"cpu": "4"}, "default": {"cpu": "1"}},
]
EXECUTIONS: list[dict[str, Any]] = [
    {},
    {"cpuLimits": True},
    {"cpuLimits": True, "driverCpu": "1500m", "driverMemory": "2Gi"},
]
EXCLUSIVE = NodePool(node_selector={"featx.dev/node-pool": "amx"}, exclusive_cores=True)
HARD: list[dict[str, str]] = [
    {"limits.cpu": "1"},
    {"limits.cpu": "2"},
    {"requests.cpu": "1500m"},
    {"limits.memory": "300Mi", "limits.cpu": "10"},
    {"limits.memory": "512Mi"},
    {"cpu": "2", "memory": "1Gi"},
]


@pytest.mark.usefixtures("kubeconfig", "empty")
def test_what_a_limit_range_refuses_is_what_the_api_server_refuses() -> None:
    api = ApiServer(30)
    ranges = f"/api/v1/namespaces/{NAMESPACE}/limitranges"
    differences = []
    for number, (kind, bound) in enumerate(itertools.product(("Container", "Pod"), BOUNDS)):
        if kind == "Pod" and "default" in bound:
            continue
        name = f"bounds-{number}"
        body = {"kind": "LimitRange", "metadata": {"name": name}, "spec": {"limits": [{"type": kind, **bound}]}}
        api.request("POST", ranges, {}, {"apiVersion": "v1", **body})
        time.sleep(0.3)  # the API server checks pods by a cache of its own
        _, items = quotas.read(api, NAMESPACE)
        for execution in EXECUTIONS:
            for pool in (None, EXCLUSIVE):
                resource = sized(name, execution)
                expected = list(refusals(all_with_defaults(gang_of(resource, pool), items), items))
                for role, pod in (("driver", driver(resource)), ("executor", executor_pod(resource, pool))):
                    refused = refusal(api, pod)
                    if any(role in text for text in expected) != bool(refused):
                        differences.append((kind, bound, execution, pool, expected, refused))
        api.delete(f"{ranges}/{name}")
    assert differences == []


@pytest.mark.usefixtures("kubeconfig", "empty")
def test_what_a_quota_refuses_is_what_the_api_server_refuses(limit: Limit) -> None:
    api = ApiServer(30)
    differences = []
    for hard in HARD:
        limit("ResourceQuota", "team", hard=hard)
        listed, items = quotas.read(api, NAMESPACE)
        for execution, pool in itertools.product(EXECUTIONS, (None, EXCLUSIVE)):
            resource = sized("quota", execution)
            gang = all_with_defaults(gang_of(resource, pool), items)
            each_alone = (never(gang, listed, missing) for missing in (Missing(1, 0, 0), Missing(0, 1, 0)))
            expected = without_limits(gang, listed) or any(each_alone)
            refused = [refusal(api, pod) for pod in (driver(resource), executor_pod(resource, pool))]
            if bool(expected) != any(refused):
                differences.append((hard, execution, pool, expected, refused))
    assert differences == []


def sized(name: str, execution: dict[str, Any]) -> FeatureExtraction:
    """A run whose pods have a known size, with a uid."""
    body = scripted(name, "", execution={"driverMemory": "256Mi", "memory": "512Mi", "cores": 2, **execution})
    body["metadata"]["uid"] = "00000000-0000-0000-0000-000000000001"
    return FeatureExtraction.from_wire({key: body[key] for key in ("metadata", "spec")})


def driver(resource: FeatureExtraction) -> dict[str, Any]:
    """A driver pod, with an account that exists."""
    pod = manifests.driver_pod(resource, 1, IMAGE)
    pod["spec"]["serviceAccountName"] = "default"
    return pod


def refusal(api: ApiServer, pod: dict[str, Any]) -> str:
    """Why the API server does not admit a pod, or an empty string."""
    try:
        api.request("POST", f"/api/v1/namespaces/{NAMESPACE}/pods", {"dryRun": "All"}, pod)
    except ApiError as error:
        return error.message
    return ""
