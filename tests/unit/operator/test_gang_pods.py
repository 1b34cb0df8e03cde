"""What quotas and LimitRanges are compared with is what the pods of the run really ask for, in any node pool."""

from __future__ import annotations

import copy
from typing import Any

from featx_api.resource import FeatureExtraction
from featx_api.status import FeatureExtractionStatus, RaisedMemory
from featx_operator import manifests
from featx_operator.decisions.gang import gang_of
from featx_operator.node_pools import NodePool
from featx_operator.pod_sets import pod_sets
from featx_operator.state.quantities import amounts
from featx_operator.state.quotas import PodShape, QuotaView
from hypothesis import given
from hypothesis import strategies as st

from tests.support.bad_resources import good
from tests.support.executor_pods import executor_pod
from tests.unit.operator.test_limit_ranges import limits
from tests.unit.operator.test_node_pools import settings
from tests.unit.operator.test_quota import quota
from tests.unit.operator.world import World

REQUEST, LIMIT = (f"spark.kubernetes.executor.{name}.cores" for name in ("request", "limit"))
POOLS = st.sampled_from(
    [None, NodePool(node_selector={"a": "b"}), NodePool(node_selector={"a": "b"}, exclusive_cores=True)]
)
EXECUTIONS = st.builds(
    lambda memory, cores, limits, cpu: {"memory": memory, "cores": cores, "cpuLimits": limits, "driverCpu": cpu},
    st.sampled_from(["1Gi", "3000Mi"]),
    st.integers(1, 8),
    st.booleans(),
    st.sampled_from(["100m", "1500m"]),
)
CONF = st.sampled_from([{}, {REQUEST: "500m"}, {LIMIT: "8"}, {REQUEST: "500m", LIMIT: "9"}])
MEMORY = st.none() | st.builds(RaisedMemory, driver_percent=st.just(150), executor_percent=st.just(150))


def shape(resources: dict[str, dict[str, str]]) -> PodShape:
    """A container's resources as decisions see them."""
    return PodShape(amounts(resources["requests"]), amounts(resources["limits"]))


@given(pool=POOLS, execution=EXECUTIONS, conf=CONF, memory=MEMORY)
def test_a_gang_asks_for_what_its_pods_do(
    pool: NodePool | None, execution: dict[str, Any], conf: dict[str, str], memory: RaisedMemory | None
) -> None:
    exclusive = pool is not None and pool.exclusive_cores
    body = copy.deepcopy(good())
    body["metadata"] |= {"name": "catalog", "uid": "u-1"}
    body["spec"]["execution"] = execution | ({} if exclusive else {"sparkConf": conf})  # refused together
    run = FeatureExtraction.model_validate(body)
    run = run.model_copy(update={"status": FeatureExtractionStatus(memory=memory)})
    gang = gang_of(run, pool)
    (driver,) = manifests.driver_pod(run, 1, "job:1", pool=pool)["spec"]["containers"]
    (executor,) = executor_pod(run, pool)["spec"]["containers"]
    assert gang.driver == shape(driver["resources"])
    assert gang.executor == gang.least_executor == shape(executor["resources"])
    if exclusive:
        assert gang.executor.requests == gang.executor.limits  # the kubelet pins nothing else
    if memory is None:
        for pod_set, expected in zip(pod_sets(run, "job:1", pool), (gang.driver, gang.executor), strict=True):
            (container,) = pod_set["template"]["spec"]["containers"]
            assert shape(container["resources"]) == expected


EXCLUSIVE = {"executors": 2, "cores": 4, "memory": "1Gi", "driverMemory": "1Gi", "driverCpu": "500m", "nodePool": "amx"}


def in_exclusive_pool(view: QuotaView, **execution: Any) -> World:
    """A run in a pool with exclusive cores, after it was reconciled."""
    world = World(settings(exclusiveCores=True), execution=EXCLUSIVE | execution)
    world.quota = view
    world.converge()
    return world


def test_a_quota_of_limits_counts_the_exclusive_cores() -> None:
    small = in_exclusive_pool(QuotaView((quota({"limits.cpu": "8"}),)), cpuLimits=True)
    assert small.condition("Stalled").message.startswith(
        "driver and 2 executors can never start: they need 9 CPU of limits (the limit is 8 in ResourceQuota team-a)"
    )
    assert small.created == []
    used = in_exclusive_pool(QuotaView((quota({"limits.cpu": "9"}, {"limits.cpu": "1"}),)), cpuLimits=True)
    assert used.state("QuotaReserved") == ("False", "QuotaExceeded")
    assert in_exclusive_pool(QuotaView((quota({"limits.cpu": "9"}),)), cpuLimits=True).created == ["catalog-1-driver"]


def test_only_the_driver_of_exclusive_executors_lacks_a_cpu_limit() -> None:
    run = in_exclusive_pool(QuotaView((quota({"limits.cpu": "20"}),)))
    assert run.state("Stalled") == ("True", "CpuLimitRequired")
    assert "the driver has none: set spec.execution.cpuLimits: true" in run.condition("Stalled").message
    default = limits(default={"cpu": "1"}, defaultRequest={"cpu": "500m"})  # an executor would not fit into it
    assert in_exclusive_pool(QuotaView((quota({"limits.cpu": "9"}),), default)).created == ["catalog-1-driver"]


def test_a_maximum_of_a_limit_range_holds_for_exclusive_cores() -> None:
    run = in_exclusive_pool(QuotaView((), limits("Pod", max={"cpu": "3"})), cpuLimits=True)
    assert run.state("Stalled") == ("True", "LimitRangeViolated")
    assert "the executor's CPU request is 4, more than the maximum" in run.condition("Stalled").message
    ratio = limits(maxLimitRequestRatio={"cpu": "2"})
    assert in_exclusive_pool(QuotaView((), ratio), cpuLimits=True).created == ["catalog-1-driver"]
