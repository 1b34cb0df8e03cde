"""What the platform team does not allow in a namespace is refused before anything is created."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from featx_api.contract import FEATX_URL_HOSTS
from featx_api.resource import FeatureExtraction
from featx_operator import manifests
from featx_operator.allowed import Allowed, Tenants
from featx_operator.cluster.creation import url_hosts
from featx_operator.decisions.events import Event, events_between
from featx_operator.settings import Settings
from pydantic import ValidationError

from tests.support.bad_resources import SHA256, good
from tests.unit.operator.world import World, running

JOB_IMAGE = Settings().job_image
S3 = {"bucket": "images"}
EVERYTHING = Settings(
    allowed=Tenants(
        allowed=Allowed(
            service_accounts=("featx-job", "features"),
            images=("registry.example/featx/*", "localhost/job:1"),
            priority_classes=("night",),
            node_pools=("xeon",),
            pod_identity=True,
        )
    )
)


def model(uri: str) -> dict[str, Any]:
    return {"model": {"onnx": uri, "sha256": SHA256}, "layer": "pool"}


def hbase(**snapshot: str) -> dict[str, Any]:
    folders = {"name": "monday", "rootDir": "hdfs://name:8020/hbase"} | snapshot
    return {"source": {"hbase": {"table": "photos", "column": "p:jpg", "snapshot": folders}}}


REFUSED = {
    "a service account": ({"execution": {"serviceAccountName": "admin"}}, "spec.execution.serviceAccountName: admin"),
    "an image": ({"execution": {"image": "evil.example/a:1"}}, "spec.execution.image: evil.example/a:1"),
    "a node pool": ({"execution": {"nodePool": "gpu"}}, "spec.execution.nodePool: gpu"),
    "a priority": ({"priorityClassName": "system-node-critical"}, "spec.priorityClassName: system-node-critical"),
    "the pods' identity for the source": ({"source": {"s3": S3 | {"podIdentity": True}}}, "spec.source.s3.podIdentity"),
    "the pods' identity for the output": (
        {"output": {"uri": "s3://features/table", "s3": {"podIdentity": True}}},
        "spec.output.s3.podIdentity",
    ),
    "the pods' identity for a model": (
        {
            "extractor": {
                **model("s3://models/a"),
                "model": {**model("s3://models/a")["model"], "s3": {"podIdentity": True}},
            }
        },
        "spec.extractor.model.s3.podIdentity",
    ),
}
LOCAL = {
    "a token as the source": (
        {"source": {"files": {"uri": "file:///var/run/secrets/kubernetes.io/serviceaccount"}}},
        "spec.source.files.uri",
    ),
    "a token as a model": ({"extractor": model("file:///var/run/secrets/a/token")}, "spec.extractor.model.onnx"),
    "a Secret as a detector": (
        {"detector": {"model": model("file:///etc/featx/secrets/store/key")["model"]}},
        "spec.detector.model.onnx",
    ),
    "a folder of the pod as the output": ({"output": {"uri": "file:///var/featx/a"}}, "spec.output.uri"),
    "a folder of the pod as older tables": (
        {"source": {"s3": S3, "changedSince": "file:///etc"}},
        "spec.source.changedSince",
    ),
    "HBase's files in the pod": (hbase(rootDir="file:///etc"), "spec.source.hbase.snapshot.rootDir"),
    "links to them in the pod": (hbase(restoreDir="file:///etc"), "spec.source.hbase.snapshot.restoreDir"),
    "a claim that the spec does not name": (
        {"output": {"uri": "claim://a/table"}, "source": {"files": {"uri": "file:///mnt/featx/claims/b/images"}}},
        "spec.source.files.uri",
    ),
    "a name that begins as a claim's": (
        {"output": {"uri": "claim://a/table"}, "source": {"files": {"uri": "file:///mnt/featx/claims/ab/images"}}},
        "spec.source.files.uri",
    ),
    "a package of images": ({"source": {"files": {"uri": "package:a==1/b"}}}, "spec.source.files.uri"),
    "a package with a model": ({"extractor": model("package:a==1/b")}, "spec.extractor.model.onnx"),
}


def refusal(world: World) -> str:
    """Reconciles a run that must not start; returns the message."""
    world.converge()
    assert (world.created, world.pods) == ([], {})
    assert world.state("Accepted") == ("False", "NotAllowed")
    assert world.state("Stalled") == ("True", "NotAllowed")
    assert world.state("Reconciling") == ("False", "NotAllowed")
    assert world.state("Succeeded") == ("Unknown", "NotAllowed")
    assert world.status.start_time is None
    return world.condition("Accepted").message


@pytest.mark.parametrize(("spec", "names"), REFUSED.values(), ids=REFUSED)
def test_by_default_a_run_may_choose_nothing(spec: dict[str, Any], names: str) -> None:
    message = refusal(World(**spec))
    assert message.startswith(names)
    assert "is not allowed in namespace default" in message
    assert "ask the platform team" in message


@pytest.mark.parametrize(("spec", "names"), LOCAL.values(), ids=LOCAL)
@pytest.mark.parametrize("settings", [Settings(), EVERYTHING], ids=["by default", "with everything allowed"])
def test_files_of_the_pod_are_refused_whatever_is_allowed(spec: dict[str, Any], names: str, settings: Settings) -> None:
    message = refusal(World(settings, **spec))
    assert message.startswith(names)
    assert "for `featx run` only: use " in message


@pytest.mark.parametrize(
    "spec",
    [
        {"execution": {"serviceAccountName": "features"}},
        {"execution": {"image": "registry.example/featx/job:2"}},
        {"execution": {"image": "localhost/job:1"}},
        {"execution": {"image": JOB_IMAGE}},
        {"execution": {"nodePool": "xeon"}},
        {"priorityClassName": "night"},
        {"source": {"s3": S3 | {"podIdentity": True}}},
        {"extractor": model("claim://models/net.onnx")},
        {"output": {"uri": "claim://a/table"}, "source": {"files": {"uri": "file:///mnt/featx/claims/a/images"}}},
    ],
)
def test_what_is_allowed_starts(spec: dict[str, Any]) -> None:
    world = World(EVERYTHING, **spec)
    world.converge()
    assert world.created == ["catalog-1-driver"]
    assert world.state("Accepted") == ("True", "SpecValid")


@pytest.mark.parametrize(
    "image", ["localhost/job:10", "registry.example/featx", "registry.example/featx-evil/job:1", "localhost/job"]
)
def test_an_image_is_compared_as_a_whole_or_up_to_the_asterisk(image: str) -> None:
    message = refusal(World(EVERYTHING, execution={"image": image}))
    assert f"use one of {JOB_IMAGE}, registry.example/featx/*, localhost/job:1" in message


def test_the_operators_job_image_is_allowed_by_default() -> None:
    world = World(execution={"image": JOB_IMAGE})
    world.converge()
    assert world.created == ["catalog-1-driver"]


def test_a_namespace_of_its_own_replaces_single_fields() -> None:
    settings = Settings(
        allowed=Tenants.model_validate(
            {
                "allowed": {"nodePools": ["xeon"], "priorityClasses": ["night"]},
                "tenants": {"team-a": {"allowed": {"nodePools": ["gpu"], "podIdentity": True}}},
            }
        )
    )
    own, other = settings.allowed.allowed_in("team-a"), settings.allowed.allowed_in("team-b")
    assert (own.node_pools, own.priority_classes, own.pod_identity) == (("gpu",), ("night",), True)
    assert (other.node_pools, other.priority_classes, other.pod_identity) == (("xeon",), ("night",), False)
    world = World(settings, execution={"nodePool": "gpu"})
    assert "use one of xeon" in refusal(world)
    world.body["metadata"]["namespace"] = "team-a"
    world.converge()
    assert world.created == ["catalog-1-driver"]


URLS = {"s3": S3, "packed": {"urlColumn": "url"}}
HOSTS = Settings(
    allowed=Tenants.model_validate(
        {
            "allowed": {"urlHosts": ["*"]},
            "tenants": {"team-a": {"allowed": {"urlHosts": ["a.example", "b.example:81"]}}},
        }
    )
)


def hosts_of(settings: Settings, namespace: str, source: dict[str, Any]) -> tuple[str, ...]:
    """The hosts that a driver is told to fetch from."""
    body = good() | {"metadata": {"name": "catalog", "namespace": namespace, "uid": "u-1"}}
    resource = FeatureExtraction.model_validate(body | {"spec": body["spec"] | {"source": source}})
    pod = manifests.driver_pod(resource, 1, JOB_IMAGE, url_hosts(settings, resource))
    variables = {one["name"]: one.get("value") for one in pod["spec"]["containers"][0]["env"]}
    return tuple(filter(None, variables.get(FEATX_URL_HOSTS, "").split(",")))


def test_by_default_a_run_may_fetch_from_no_host() -> None:
    assert hosts_of(Settings(), "default", URLS) == ()


def test_a_run_may_fetch_from_the_hosts_of_its_namespace() -> None:
    assert hosts_of(HOSTS, "default", URLS) == ("*",)
    assert hosts_of(HOSTS, "team-a", URLS) == ("a.example", "b.example:81")
    assert hosts_of(HOSTS, "team-a", {"s3": S3}) == hosts_of(HOSTS, "team-a", {"s3": S3, "packed": {}}) == ()


@pytest.mark.parametrize(
    "host", ["", "https://a.example", "a.example/b", "a.example,b", "A.example", "*a.example", "*.a:80", "a b", "a:0"]
)
def test_an_invalid_host_is_refused(host: str) -> None:
    with pytest.raises(ValidationError):
        Allowed.model_validate({"urlHosts": [host]})


def test_a_refusal_is_one_event() -> None:
    world = World(execution={"nodePool": "gpu"})
    before = world.status
    message = refusal(world)
    assert events_between(before, world.status) == [Event("Warning", "NotAllowed", message)]


def test_a_corrected_spec_starts() -> None:
    world = World(execution={"nodePool": "gpu"})
    refusal(world)
    world.change(execution=copy.deepcopy(good()["spec"]["execution"])).converge()
    assert world.created == ["catalog-1-driver"]
    assert world.state("Stalled") == ("False", "AsExpected")


def test_a_running_attempt_is_left_alone_and_the_next_one_refused() -> None:
    world = running(settings=EVERYTHING, execution={"nodePool": "xeon"})
    world.settings = Settings()
    world.report(10).advance(60).converge()
    assert world.state("DriverReady") == ("True", "Running")
    world.fail().advance(600).converge()
    assert world.created == ["catalog-1-driver"]
    assert world.state("Stalled") == ("True", "NotAllowed")


def test_a_running_attempt_may_succeed_although_it_would_be_refused_now() -> None:
    world = running(settings=EVERYTHING, execution={"nodePool": "xeon"})
    world.settings = Settings()
    world.succeed().converge()
    assert world.state("Succeeded") == ("True", "Completed")
