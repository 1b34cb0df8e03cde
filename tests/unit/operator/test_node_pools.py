"""Where the pods of a run go, by the node pool that it chooses."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml
from featx_api.resource import FeatureExtraction
from featx_operator import manifests
from featx_operator.allowed import Tenants
from featx_operator.settings import Settings, from_environment

from tests.support.bad_resources import good
from tests.unit.operator.world import World

AMX = {"featx.dev/node-pool": "amx", "feature.node.kubernetes.io/cpu-cpuid.AMXTILE": "true"}
TAINT = {"key": "dedicated", "operator": "Equal", "value": "featx", "effect": "NoSchedule"}


def settings(allowed: dict[str, Any] | None = None, **pool: Any) -> Settings:
    pools = {"amx": {"nodeSelector": AMX, "tolerations": [TAINT]} | pool}
    allowed = {"nodePools": ["amx", "plain"]} | (allowed or {})
    return from_environment({"FEATX_ALLOWED": json.dumps({"allowed": allowed, "nodePools": pools})})


def pods(pool: str = "amx", execution: dict[str, Any] | None = None, **fields: Any) -> tuple[Any, Any]:
    """Specs of driver and executors."""
    body = copy.deepcopy(good())
    body["metadata"] |= {"name": "catalog", "uid": "u-1"}
    body["spec"]["execution"] = {"nodePool": pool, "cores": 4} | (execution or {})
    run = FeatureExtraction.model_validate(body)
    chosen = settings(**fields).allowed.pool(pool)
    files = manifests.config_map(run, 1, chosen)["data"]
    return manifests.driver_pod(run, 1, "job:1", (), chosen)["spec"], yaml.safe_load(files["executor-pod.yaml"])["spec"]


def test_driver_and_executors_go_to_the_nodes_of_their_pool() -> None:
    for pod in pods():
        assert (pod["nodeSelector"], pod["tolerations"]) == (AMX, [TAINT])


def test_a_pool_that_is_not_described_is_a_label() -> None:
    for pod in pods("plain"):
        assert pod["nodeSelector"] == {"featx.dev/node-pool": "plain"}
        assert "tolerations" not in pod


def test_without_a_pool_pods_go_anywhere() -> None:
    run = FeatureExtraction.model_validate(good() | {"metadata": {"name": "a", "namespace": "b", "uid": "u-1"}})
    assert settings().allowed.pool(None) is None
    assert "nodeSelector" not in manifests.executor_template(run, 1)["spec"]


def test_drivers_of_a_spot_pool_can_have_nodes_that_stay() -> None:
    driver, executor = pods(drivers={"nodeSelector": {"featx.dev/node-pool": "on-demand"}})
    assert driver["nodeSelector"] == {"featx.dev/node-pool": "on-demand"}
    assert "tolerations" not in driver
    assert executor["nodeSelector"] == AMX


@pytest.mark.parametrize(("arrangement", "field"), [("spread", "topologySpreadConstraints"), ("pack", "affinity")])
def test_executors_of_one_run_are_spread_or_packed(arrangement: str, field: str) -> None:
    driver, executor = pods(arrangement=arrangement, topologyKey="topology.kubernetes.io/zone")
    assert field not in driver
    text = json.dumps(executor[field])
    assert '"topologyKey": "topology.kubernetes.io/zone"' in text
    assert '"matchLabels": {"featx.dev/role": "executor", "featx.dev/uid": "u-1"}' in text
    assert "required" not in text  # a preference: executors never wait for it


def test_exclusive_cores_are_limits_too_and_the_driver_shares_the_rest() -> None:
    driver, executor = pods(exclusiveCores=True)
    assert executor["containers"][0]["resources"] == {"limits": {"cpu": "4"}}
    assert "cpu" not in driver["containers"][0]["resources"]["limits"]
    assert "resources" not in pods()[1]["containers"][0]


def accepted(settings: Settings, **spec: Any) -> tuple[str, str]:
    """Reason and message of the condition Accepted, or empty strings if the run starts."""
    world = World(settings, **spec)
    world.reconcile()
    condition = world.condition("Accepted")
    return (condition.reason, condition.message) if condition.status == "False" else ("", "")


@pytest.mark.parametrize(
    ("pool", "execution", "field"),
    [
        ({"coresPerSocket": 8}, {"cores": 9}, "spec.execution.cores: 9"),
        ({"exclusiveCores": True}, {"sparkConf": {"spark.kubernetes.executor.request.cores": "500m"}}, "request.cores"),
        ({"exclusiveCores": True}, {"sparkConf": {"spark.kubernetes.executor.limit.cores": "4"}}, "limit.cores"),
    ],
    ids=["more than a socket", "a request of its own", "a limit of its own"],
)
def test_what_a_pool_cannot_give_is_refused(pool: dict[str, Any], execution: dict[str, Any], field: str) -> None:
    reason, message = accepted(settings(**pool), execution={"nodePool": "amx"} | execution)
    assert reason == "NotAllowed"
    assert field in message
    assert accepted(settings(**pool), execution={"nodePool": "amx", "cores": 8}) == ("", "")


def test_a_described_pool_must_be_allowed_too() -> None:
    reason, message = accepted(settings(allowed={"nodePools": []}), execution={"nodePool": "amx"})
    assert reason == "NotAllowed"
    assert message.startswith("spec.execution.nodePool: amx is not allowed")


@pytest.mark.parametrize(
    ("pool", "field"),
    [
        ({"nodeSelector": {}}, "nodePools.amx.nodeSelector"),
        ({"nodeSelector": {"a b": "c"}}, "nodePools.amx.nodeSelector"),
        ({"tolerations": [{"operator": "Exists"}]}, "nodePools.amx.tolerations.0.key"),
        ({"arrangement": "stack"}, "nodePools.amx.arrangement"),
        ({"coresPerSocket": 0}, "nodePools.amx.coresPerSocket"),
        ({"spot": True}, "nodePools.amx.spot: unknown field"),
    ],
)
def test_a_mistake_in_a_pool_is_named(pool: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=f"FEATX_ALLOWED: {field}"):
        settings(**pool)


STORES = {"stores": ["s3://team-a-*", "https://store.example/*", "claim://*", "hdfs://name:8020/team-a/*"]}
MODEL = {"prototxt": "claim://nets/a", "weights": "claim://nets/b", "sha256": "a" * 64}
INSIDE: dict[str, Any] = {
    "detector": {"model": MODEL},
    "source": {"s3": {"bucket": "team-a-images", "endpoint": "https://store.example"}},
    "extractor": {"model": MODEL, "layer": "fc7"},
    "output": {"uri": "hdfs://name:8020/team-a/table"},
}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"source": {"s3": {"bucket": "team-b-images"}}}, "spec.source.s3.bucket: s3://team-b-images/"),
        (
            {"source": {"s3": {"bucket": "team-a-x", "endpoint": "https://store.example.evil"}}},
            "spec.source.s3.endpoint",
        ),
        ({"source": {"hbase": {"quorum": "zk", "table": "t", "column": "a:b"}}}, "spec.source.hbase.quorum"),
        ({"output": {"uri": "hdfs://name:8020/team-b/table"}}, "spec.output.uri"),
        ({"extractor": {"model": MODEL | {"weights": "s3://nets/b"}, "layer": "fc7"}}, "spec.extractor.model.weights"),
        (
            {"execution": {"sparkConf": {"spark.hadoop.dfs.namenode.rpc-address.name": "evil:8020"}}},
            "spec.execution.sparkConf.spark.hadoop.dfs.namenode.rpc-address.name",
        ),
    ],
)
def test_a_run_uses_stores_of_its_namespace_only(spec: dict[str, Any], field: str) -> None:
    assert accepted(settings(allowed=STORES), **INSIDE) == ("", "")
    reason, message = accepted(settings(allowed=STORES), **INSIDE | spec)
    assert reason == "NotAllowed"
    assert message.startswith(field)


def test_by_default_every_store_may_be_used() -> None:
    assert Tenants().allowed_in("default").includes_store("s3://anything/at/all")
