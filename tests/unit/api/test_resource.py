"""The models refuse what the API server refuses, with messages that name the field."""

from __future__ import annotations

import pytest
from featx_api.crd import resource_schema
from featx_api.resource import FeatureExtraction
from pydantic import ValidationError

from tests.support.bad_resources import BAD, SHA256, Bad, changed, good
from tests.unit.api.test_crd import nodes


def test_a_complete_resource_survives_a_round_trip() -> None:
    resource = FeatureExtraction.from_wire(good())
    assert FeatureExtraction.from_wire(resource.to_wire()) == resource


@pytest.mark.parametrize("bad", BAD, ids=[bad.id for bad in BAD])
def test_a_bad_resource_is_refused_naming_the_field(bad: Bad) -> None:
    with pytest.raises(ValidationError) as refusal:
        FeatureExtraction.from_wire(changed(bad.path, bad.value))
    assert bad.names in str(refusal.value)


def test_secrets_and_claims_are_named_once_each() -> None:
    spec = FeatureExtraction.from_wire(changed("spec.output", {"uri": "claim://disk/a"})).spec
    assert (spec.secret_names(), spec.claim_names()) == (["store"], ["disk"])


def test_every_claim_that_an_address_names_is_mounted() -> None:
    model = {"prototxt": "claim://nets/a.prototxt", "weights": "claim://weights/a.caffemodel", "sha256": SHA256}
    parts = {
        "source": {"files": {"uri": "claim://photos/"}, "changedSince": "claim://older/tables"},
        "detector": {"model": {"onnx": "claim://detectors/a.onnx", "sha256": SHA256}},
        "extractor": {"model": model, "layer": "pool"},
        "output": {"uri": "claim://features.team-a/table"},
    }
    spec = FeatureExtraction.from_wire(changed("spec", parts)).spec
    claims = ["detectors", "features.team-a", "nets", "older", "photos", "weights"]
    assert spec.claim_names() == claims
    assert spec.addresses() == {
        "spec.source.files.uri": "claim://photos/",
        "spec.source.changedSince": "claim://older/tables",
        "spec.output.uri": "claim://features.team-a/table",
        "spec.detector.model.onnx": "claim://detectors/a.onnx",
        "spec.extractor.model.prototxt": "claim://nets/a.prototxt",
        "spec.extractor.model.weights": "claim://weights/a.caffemodel",
    }


def test_no_address_is_left_out() -> None:
    """A field that holds an address is checked for files of the pod, and its claims are mounted, if it is listed."""
    snapshot = {"name": "a", "rootDir": "hdfs://name:8020/hbase", "restoreDir": "hdfs://name:8020/tmp"}
    model = {"onnx": "s3://models/a", "sha256": SHA256}
    caffe = {"prototxt": "s3://models/a", "weights": "s3://models/b", "sha256": SHA256}
    hbase = {"table": "photos", "column": "p:jpg", "snapshot": snapshot}
    specs = [
        {"source": {"hbase": hbase}, "detector": {"model": model}, "extractor": {"model": caffe, "layer": "a"}},
        {"source": {"files": {"uri": "hdfs://a/b"}, "changedSince": "s3://tables/a"}, "detector": {"model": caffe}},
        {"source": {"s3": {"bucket": "photos", "inventory": "s3://lists/a"}}},
        {"source": {"claim": {"name": "photos"}, "list": "claim://lists/keys.txt"}},
        {"extractor": {"model": model, "layer": "a"}},
    ]
    listed: set[str] = set()
    for parts in specs:
        spec = FeatureExtraction.from_wire(changed("spec", good()["spec"] | parts)).spec
        listed |= spec.addresses().keys()
    patterns = {path for path, node in nodes(resource_schema()) if "://" in node.get("pattern", "")}
    listable = {path.removeprefix(".") for path in patterns if not path.endswith("endpoint")}
    assert listed == {path for path in listable if not path.startswith("status.")}  # of what was one already


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.execution.image", "localhost/featx/job:dev"),
        ("spec.execution.image", "registry.example:5000/team/featx-job:1.2.3_a@sha256:" + "0" * 64),
        ("spec.execution.image", "job"),
        ("spec.execution.serviceAccountName", "team.features-1"),
        ("spec.execution.driverMemory", "64Mi"),
        ("spec.execution.driverMemory", "999Gi"),
        ("spec.execution.executors", 1000),
        ("spec.priorityClassName", "system-node-critical"),
        ("spec.source.s3.prefix", "catalog 2026/\u00fcber/"),
        ("spec.output.uri", "claim://features/..hidden/a..b/..."),
        ("spec.output.uri", "hdfs://images/tables/%C3%BC"),
        ("spec.extractor.model.onnx", "s3://models/my net.onnx"),
        ("spec.source", {"s3": {"bucket": "images"}, "keys": ["k" * 78] * 5000}),
        ("spec.source", {"claim": {"name": "a" * 253, "path": "/photos/"}}),
    ],
)
def test_ordinary_names_and_addresses_are_accepted(path: str, value: object) -> None:
    resource = changed(path, value)
    if path.endswith("onnx"):
        model = resource["spec"]["extractor"]["model"]
        del model["prototxt"], model["weights"]
    FeatureExtraction.from_wire(resource)
