"""Workloads as objects: what ours asks for, what is read of Kueue's answer, and what is stored of others'."""

from __future__ import annotations

import copy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from featx_api.contract import JobSpec
from featx_api.resource import FeatureExtraction
from featx_job.environment import Cluster, Environment
from featx_job.spark.memory import sizes
from featx_job.spark.settings import conf
from featx_operator import kueue, manifests, pod_sets
from featx_operator.cluster import workloads
from featx_operator.cluster.creation import RefusedError
from featx_operator.cluster.transport import ApiError
from featx_operator.decisions.policies.placement import ConflictError, placements_of
from featx_operator.decisions.run import CreateWorkload
from featx_operator.objects import Key, Owner
from featx_operator.settings import Settings
from featx_operator.state.store import Store
from featx_operator.state.workload import Flavor, Placement, Placements, quantity, workload_from

from tests.support.bad_resources import good
from tests.unit.operator.api_server import FakeApiServer
from tests.unit.operator.operator_process import START

OWNER = Owner(Key("default", "catalog"), "11112222-3333")
IMAGE = "localhost/featx/job:dev"


def run(**execution: Any) -> FeatureExtraction:
    body: dict[str, Any] = copy.deepcopy(good())
    body["metadata"] = {"name": "catalog", "namespace": "default", "uid": OWNER.uid}
    body["spec"]["execution"] = {"memory": "3Gi", **execution}
    return FeatureExtraction.from_wire(body)


def workload(resource: FeatureExtraction, **status: Any) -> dict[str, Any]:
    """A Workload as the API server has it."""
    body = pod_sets.manifest(resource, IMAGE, "runs", 5, None)
    body["metadata"] |= {"uid": "w-1", "resourceVersion": "7"}
    return {**copy.deepcopy(body), "status": status}


@pytest.mark.parametrize(
    "execution",
    [
        {"cores": 2, "memory": "2Gi"},
        {"sparkConf": {"spark.kubernetes.executor.request.cores": "500m"}, "memory": "2816Mi"},
        {"sparkConf": {"spark.kubernetes.executor.limit.cores": "4"}, "cores": 3},
    ],
)
def test_executors_request_what_spark_creates_them_with(execution: dict[str, Any]) -> None:
    resource = run(**execution)
    job = JobSpec(name="catalog", namespace="default", uid=OWNER.uid, spec=resource.spec)
    cluster = Cluster("catalog-1-driver", "default", "10.0.0.1", IMAGE, "/etc/featx/job/executor-pod.yaml")
    environment = Environment(Path("/no-such-folder"), Path("/work"), cluster=cluster)
    settings = conf(job, environment, sizes([], resource.spec, resource.spec.execution.cores))
    memory = sum(int(settings[f"spark.executor.{part}"].removesuffix("m")) for part in ("memory", "memoryOverhead"))
    (container,) = pod_sets.pod_sets(resource, IMAGE)[1]["template"]["spec"]["containers"]
    stated = container["resources"]
    assert stated["requests"]["cpu"] == settings["spark.kubernetes.executor.request.cores"]
    assert quantity(stated["requests"]["memory"]) == quantity(f"{memory}Mi") == quantity(stated["limits"]["memory"])
    assert stated["limits"].get("cpu") == settings.get("spark.kubernetes.executor.limit.cores")


def test_a_driver_requests_what_its_pod_does() -> None:
    resource = run(driverMemory="2Gi", nodePool="xeon")
    (template,) = [item["template"] for item in pod_sets.pod_sets(resource, IMAGE) if item["name"] == "driver"]
    pod = manifests.driver_pod(resource, 1, IMAGE)
    assert template["spec"]["containers"][0]["resources"] == pod["spec"]["containers"][0]["resources"]
    assert template["spec"]["nodeSelector"] == pod["spec"]["nodeSelector"]
    assert "volumes" not in template["spec"]


def test_the_pod_set_of_executors_has_all_of_them_or_a_range() -> None:
    assert [(item["name"], item["count"]) for item in pod_sets.pod_sets(run(executors=4), IMAGE)] == [
        ("driver", 1),
        ("executor", 4),
    ]
    elastic = pod_sets.pod_sets(run(minExecutors=0, maxExecutors=6), IMAGE)[1]
    assert (elastic["count"], elastic["minCount"]) == (6, 1)


def test_a_workload_belongs_to_its_run_and_has_a_name_that_fits() -> None:
    body = workload(run())
    assert body["metadata"]["name"] == "fx-catalog-11112222"
    assert len(kueue.workload_name("n" * 48, "u" * 36)) <= 63
    assert body["metadata"]["labels"][kueue.JOB_UID_LABEL] == OWNER.uid
    (owner,) = body["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == (OWNER.uid, True)


def test_an_equal_quantity_in_another_form_is_the_same_request() -> None:
    body = workload(run(memory="3072Mi"))
    body["spec"]["podSets"][1]["template"]["spec"]["containers"][0]["resources"]["requests"]["memory"] = "3Gi"
    assert pod_sets.asks_for(workload_from(body), run(memory="3072Mi"), IMAGE)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("containers", 0, "resources", "requests", "cpu"), "1m"),
        (("containers", 0, "resources", "requests", "memory"), "lots"),
        (("containers", 0, "resources", "requests", "memory"), 0),
        (("nodeSelector",), {"pool": "cheap"}),
        (("containers",), None),
    ],
)
def test_a_workload_that_asks_for_something_else_is_not_the_runs(path: tuple[Any, ...], value: object) -> None:
    body = workload(run())
    part = body["spec"]["podSets"][1]["template"]["spec"]
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    assert not pod_sets.asks_for(workload_from(body), run(), IMAGE)


def test_pod_sets_of_others_are_read_up_to_a_limit() -> None:
    body = workload(run())
    body["spec"]["podSets"][1]["template"]["spec"]["nodeSelector"] = {f"key-{n}": "x" * 63 for n in range(5000)}
    body["spec"]["podSets"] += [{"name": f"more-{n}", "template": {"spec": {}}} for n in range(5000)]
    reduced = workload_from(body)
    assert len(reduced.pod_sets) <= 16
    assert len(reduced.pod_sets["executor"].node_selector) <= 16


@pytest.mark.parametrize(
    ("text", "number"), [("250m", "0.25"), ("2", "2"), ("1.5", "1.5"), ("64Mi", str(64 << 20)), ("1k", "1000")]
)
def test_quantities_are_numbers(text: str, number: str) -> None:
    assert quantity(text) == Decimal(number)
    assert quantity("-1") != quantity("-1"), "an unusual form equals nothing"


ADMISSION = {
    "clusterQueue": "red",
    "podSetAssignments": [
        {"name": "driver", "flavors": {"cpu": "spot", "memory": "spot"}, "count": 1},
        {"name": "executor", "flavors": {"cpu": "spot", "memory": "big"}, "count": 1},
    ],
}
FLAVORS = {
    "spot": Flavor({"pool": "spot"}, ({"key": "spot", "operator": "Exists"},)),
    "big": Flavor({"size": "big"}, ({"key": "spot", "operator": "Exists"}, {"key": "big"})),
}


def test_pods_get_the_labels_and_tolerations_of_all_flavors_and_checks() -> None:
    update = {"name": "executor", "labels": {"a": "b"}, "annotations": {"c": "d"}, "nodeSelector": {"zone": "1"}}
    checks = [{"name": "provisioning", "podSetUpdates": [update]}]
    placements = placements_of(workload_from(workload(run(), admission=ADMISSION, admissionChecks=checks)), FLAVORS)
    assert placements.driver.node_selector == {"pool": "spot"}
    assert placements.executor.node_selector == {"pool": "spot", "size": "big", "zone": "1"}
    assert placements.executor.tolerations == ({"key": "spot", "operator": "Exists"}, {"key": "big"})
    template = yaml.safe_load(manifests.config_map(run(), 1, placements=placements)["data"]["executor-pod.yaml"])
    assert (
        template["metadata"]["labels"] | {"a": "b", kueue.POD_SET_LABEL: "executor"} == template["metadata"]["labels"]
    )
    assert template["metadata"]["annotations"] == {"c": "d"}
    assert template["spec"]["tolerations"] == [{"key": "spot", "operator": "Exists"}, {"key": "big"}]


def test_a_flavor_of_other_nodes_than_the_run_asks_for_is_a_conflict() -> None:
    reduced = workload_from(workload(run(nodePool="xeon"), admission=ADMISSION))
    with pytest.raises(ConflictError, match=r"featx\.dev/node-pool=gpu"):
        placements_of(reduced, {**FLAVORS, "spot": Flavor({"featx.dev/node-pool": "gpu"})})


def test_what_featx_sets_itself_is_not_overridden() -> None:
    placement = Placement(labels={"featx.dev/role": "other"}, annotations={}, node_selector={"pool": "spot"})
    pod = manifests.driver_pod(run(), 1, IMAGE, placements=Placements(driver=placement))
    assert pod["metadata"]["labels"]["featx.dev/role"] == "driver"


def test_a_granted_number_of_executors_is_what_the_driver_may_create() -> None:
    resource = run(minExecutors=1, maxExecutors=8)
    job = manifests.config_map(resource, 1, placements=Placements(most_executors=3))["data"]["job.json"]
    assert '"maxExecutors": 3' in job


def test_an_admission_that_comes_before_the_response_to_the_create_request_stays() -> None:
    store = Store()
    created = workload(run())
    admitted = workload(run(), conditions=[{"type": "Admitted", "status": "True"}])
    admitted["metadata"]["resourceVersion"] = "9"
    store.put_resource({"metadata": {"namespace": "default", "name": "catalog", "uid": OWNER.uid}, "spec": {}})
    store.put_workload(admitted)
    store.replace_workload(OWNER, created)
    stored = store.workload(OWNER)
    assert stored is not None and stored.version == 9


def test_the_store_has_the_newest_workload_of_a_known_run() -> None:
    store = Store()
    body = workload(run())
    assert store.put_workload(body) is None
    store.put_resource({"metadata": {"namespace": "default", "name": "catalog", "uid": OWNER.uid}, "spec": {}})
    assert store.put_workload(body) == OWNER.key
    older = {**body, "metadata": {**body["metadata"], "resourceVersion": "6"}, "spec": {"queueName": "old"}}
    store.put_workload(older)
    current = store.workload(OWNER)
    assert current and current.queue == "runs"
    other = {**body, "metadata": {**body["metadata"], "name": "other"}}
    assert store.put_workload(other) is None
    assert store.workload_deleted({**body, "metadata": {**body["metadata"], "resourceVersion": "8"}}) == OWNER.key
    store.put_workload(body)
    assert store.workload(OWNER) is None, "older news of it are ignored"


WORKLOADS = "/apis/kueue.x-k8s.io/v1beta2/namespaces/default/workloads"


@pytest.mark.parametrize(
    ("status", "reason"),
    [(500, "KueueUnavailable"), (503, "KueueUnavailable"), (403, "WorkloadRefused"), (422, "WorkloadRefused")],
)
def test_a_workload_that_is_not_accepted_is_a_wait_with_a_reason(status: int, reason: str) -> None:
    api = FakeApiServer(START.isoformat())
    api.refusals["POST", WORKLOADS] = ApiError(status, "failed calling webhook")
    with pytest.raises(RefusedError) as refused:
        workloads.act(api, run(), CreateWorkload("runs", ""), Settings())
    assert (refused.value.refusal.reason, refused.value.refusal.message) == (reason, "failed calling webhook")


def test_a_workload_of_somebody_else_with_the_runs_name_is_not_touched() -> None:
    api = FakeApiServer(START.isoformat())
    api.put(f"{WORKLOADS}/fx-catalog-11112222", {"metadata": {"name": "fx-catalog-11112222"}})
    with pytest.raises(RefusedError) as refused:
        workloads.act(api, run(), CreateWorkload("runs", ""), Settings())
    assert refused.value.refusal.reason == "NameTaken"


def test_a_priority_class_that_does_not_exist_is_named() -> None:
    api = FakeApiServer(START.isoformat())
    with pytest.raises(RefusedError, match="WorkloadPriorityClass high not found"):
        workloads.act(api, run(), CreateWorkload("runs", "high"), Settings())
