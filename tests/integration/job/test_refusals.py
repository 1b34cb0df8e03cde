"""Runs that can't be carried out: each fails by its class, names the field, and starts no Spark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from featx_job.models.fetch import NetFiles, Nets

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec, rows_of_bucket
from tests.integration.job.store import Store


@pytest.fixture(autouse=True)
def no_spark(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails a test whose run gets as far as Spark."""
    if "needs_spark" not in request.fixturenames:
        monkeypatch.setattr("featx_job.spark.session.SparkContext", lambda **_: pytest.fail("Spark was started"))


@pytest.fixture
def needs_spark() -> None:
    """Marks a test whose run may start Spark."""


@pytest.fixture
def spec(store: Store, tiny: Spec) -> Spec:
    """A spec that would succeed."""
    store.put("refusals", {"images/a.jpg": drawings.encoded(drawings.scene())})
    source = {"endpoint": store.endpoint, "bucket": "refusals", "prefix": "images/", "secretRef": {"name": "store"}}
    return {"source": {"s3": source}, **tiny, "output": {"uri": "s3://refusals/table"}}


def changed(spec: Spec, path: str, value: Any) -> Spec:
    """Returns the spec with one field set."""
    copy: Spec = json.loads(json.dumps(spec))
    *parents, last = path.split(".")
    node = copy
    for name in parents:
        node = node[name]
    node[last] = value
    return copy


def refused(runner: Runner, spec: Spec, class_: str, *names: str, retryable: bool = False) -> None:
    """Checks how a run is refused."""
    outcome = runner.run(spec, uid="refused")
    assert outcome.result == "Failed"
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == (class_, retryable), outcome.failure.message
    for name in names:
        assert name in outcome.failure.message
    assert "\n" not in outcome.failure.message


def test_a_store_that_does_not_answer(runner: Runner, spec: Spec) -> None:
    gone = changed(spec, "source.s3.endpoint", "http://127.0.0.1:9")
    refused(runner, gone, "StoreUnreachable", "spec.source.s3", "http://127.0.0.1:9", retryable=True)


def test_a_bucket_that_is_not_there(runner: Runner, spec: Spec, tmp_path: Path) -> None:
    missing = changed(changed(spec, "source.s3.bucket", "nobody-made-it"), "output.uri", f"file://{tmp_path}/table")
    refused(runner, missing, "BucketNotFound", "spec.source.s3", "nobody-made-it")


def test_a_bucket_of_the_output_that_is_not_there(runner: Runner, spec: Spec) -> None:
    refused(runner, changed(spec, "output.uri", "s3://nobody-made-it/table"), "BucketNotFound", "nobody-made-it")


def test_a_wrong_key(runner: Runner, spec: Spec) -> None:
    refused(runner, changed(spec, "source.s3.secretRef.name", "wrong"), "AccessDenied", "spec.source.s3.secretRef")


def test_a_secret_that_is_not_there(runner: Runner, spec: Spec) -> None:
    refused(runner, changed(spec, "source.s3.secretRef.name", "nobody"), "SecretNotFound", "secretRef.name", "nobody")


def test_a_secret_without_its_second_key(runner: Runner, spec: Spec) -> None:
    half = changed(spec, "source.s3.secretRef.name", "half")
    refused(runner, half, "SecretIncomplete", "AWS_SECRET_ACCESS_KEY")


def test_weights_with_another_digest(runner: Runner, spec: Spec) -> None:
    wrong = changed(spec, "detector.model.sha256", "0" * 64)
    refused(runner, wrong, "ModelDigestMismatch", "spec.detector.model.sha256", "0" * 64)


def test_a_model_that_is_not_there(runner: Runner, spec: Spec) -> None:
    missing = changed(spec, "extractor.model.weights", "file:///no/such/net.caffemodel")
    refused(runner, missing, "ModelNotFound", "spec.extractor.model.weights", "/no/such/net.caffemodel")


def test_a_model_that_is_not_in_the_store(runner: Runner, spec: Spec) -> None:
    missing = changed(spec, "extractor.model.weights", "s3://refusals/models/none.caffemodel")
    refused(runner, missing, "ModelNotFound", "s3://refusals/models/none.caffemodel")


def prototxt(spec: Spec, tmp_path: Path, old: str, new: str) -> Spec:
    """Returns the spec with another prototxt of the extractor."""
    text = Path(spec["extractor"]["model"]["prototxt"].removeprefix("file://")).read_text()
    assert old in text
    path = tmp_path / "changed.prototxt"
    path.write_text(text.replace(old, new, 1))
    return changed(spec, "extractor.model.prototxt", f"file://{path}")


def test_a_prototxt_that_can_t_be_parsed(runner: Runner, spec: Spec, tmp_path: Path) -> None:
    refused(runner, prototxt(spec, tmp_path, "layer {", "layer {{"), "ModelInvalid", "spec.extractor.model", "line")


def test_a_layer_type_that_nobody_knows(runner: Runner, spec: Spec, tmp_path: Path) -> None:
    unknown = prototxt(spec, tmp_path, 'type: "ReLU"', 'type: "Swish"')
    refused(runner, unknown, "ModelInvalid", "spec.extractor.model", "'Swish'", "supported are")


def test_a_layer_that_the_net_does_not_have(runner: Runner, spec: Spec) -> None:
    refused(runner, changed(spec, "extractor.layer", "poool"), "ModelInvalid", "'poool'", "pool")


@pytest.mark.parametrize(
    ("engine", "known", "unknown"), [("bigdl", b'"Eltwise"', b'"Eltwice"'), ("openvino", b"\x04Conv", b"\x04Konv")]
)
def test_a_net_that_executors_cannot_compile(
    runner: Runner,
    spec: Spec,
    monkeypatch: pytest.MonkeyPatch,
    needs_spark: None,
    engine: str,
    known: bytes,
    unknown: bytes,
) -> None:
    right = Nets.files

    def wrong(nets: Nets) -> NetFiles:
        files = right(nets)
        extractor = b"".join(files.extractor)
        assert known in extractor
        return NetFiles(files.detector, (extractor.replace(known, unknown),))

    monkeypatch.setattr(Nets, "files", wrong)  # the driver knows what engines lack, and would refuse it first
    refused(runner, {**spec, "engine": engine}, "ModelInvalid", f"engine {engine}", "tiny_extractor")


def test_an_output_that_cannot_be_written_to(runner: Runner, spec: Spec) -> None:
    refused(runner, changed(spec, "output.uri", "file:///proc/nobody/table"), "OutputNotWritable", "spec.output.uri")


def test_an_output_that_holds_another_runs_table(runner: Runner, spec: Spec, tmp_path: Path) -> None:
    (tmp_path / "_manifest.json").write_text('{"uid": "other", "namespace": "team", "name": "older"}')
    refused(runner, changed(spec, "output.uri", f"file://{tmp_path}"), "OutputExists", "spec.output.uri", "team/older")


def test_an_empty_prefix_succeeds_with_a_table_that_has_columns_and_no_rows(
    runner: Runner, spec: Spec, store: Store, needs_spark: None
) -> None:
    empty = changed(changed(spec, "source.s3.prefix", "nothing/"), "output.uri", "s3://refusals/empty")
    outcome = runner.run(empty, uid="empty")
    assert outcome.failure is None
    assert outcome.progress is not None
    assert outcome.progress.summary == "0/0"
    assert outcome.outputs[0].record_count == 0
    features = rows_of_bucket(store, "refusals", "empty").features
    assert features.num_rows == 0
    assert {"key", "feature", "score"} <= set(features.column_names)


def test_an_output_that_may_only_be_read_is_told_as_access_denied(
    runner: Runner, spec: Spec, needs_spark: None
) -> None:
    reader = changed(spec, "source.s3.secretRef.name", "reader")
    outcome = runner.run(changed(reader, "output.uri", "s3://refusals/forbidden"), uid="reader")
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == ("AccessDenied", False)
