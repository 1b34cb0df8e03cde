"""Invalid runs fail with the right class, name the field, and never start Spark."""

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
    """Fails the test if its run starts Spark."""
    if "needs_spark" not in request.fixturenames:
        monkeypatch.setattr("featx_job.clients.java.start_spark", lambda *_: pytest.fail("Spark was started"))


@pytest.fixture
def needs_spark() -> None:
    """Allows a test's run to start Spark."""


@pytest.fixture
def spec(store: Store, tiny: Spec) -> Spec:
    """A valid spec."""
    store.put("refusals", {"images/a.jpg": drawings.encoded(drawings.scene())})
    source = {"endpoint": store.endpoint, "bucket": "refusals", "prefix": "images/", "secretRef": {"name": "store"}}
    return {"source": {"s3": source}, **tiny, "output": {"uri": "s3://refusals/table"}}


def changed(spec: Spec, path: str, value: Any) -> Spec:
    """A copy of the spec with one field set."""
    copy: Spec = json.loads(json.dumps(spec))
    *parents, last = path.split(".")
    node = copy
    for name in parents:
        node = node[name]
    node[last] = value
    return copy


def assert_refused(runner: Runner, spec: Spec, class_: str, *names: str, retryable: bool = False) -> None:
    """Asserts that a run fails with a class, and that its one-line message contains these names."""
    outcome = runner.run(spec, uid="refused")
    assert outcome.result == "Failed"
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == (class_, retryable), outcome.failure.message
    for name in names:
        assert name in outcome.failure.message
    assert "\n" not in outcome.failure.message


def test_an_unreachable_store_is_retryable(runner: Runner, spec: Spec) -> None:
    gone = changed(spec, "source.s3.endpoint", "http://127.0.0.1:9")
    assert_refused(runner, gone, "StoreUnreachable", "spec.source.s3", "http://127.0.0.1:9", retryable=True)


def test_a_missing_source_bucket_is_named(runner: Runner, spec: Spec, tmp_path: Path) -> None:
    missing = changed(changed(spec, "source.s3.bucket", "no-such-bucket"), "output.uri", f"file://{tmp_path}/table")
    assert_refused(runner, missing, "BucketNotFound", "spec.source.s3", "no-such-bucket")


def test_a_missing_output_bucket_is_named(runner: Runner, spec: Spec) -> None:
    assert_refused(runner, changed(spec, "output.uri", "s3://no-such-bucket/table"), "BucketNotFound", "no-such-bucket")


def test_a_wrong_secret_key_is_reported_as_access_denied(runner: Runner, spec: Spec) -> None:
    assert_refused(
        runner, changed(spec, "source.s3.secretRef.name", "wrong"), "AccessDenied", "spec.source.s3.secretRef"
    )


def test_a_missing_secret_is_named(runner: Runner, spec: Spec) -> None:
    assert_refused(
        runner, changed(spec, "source.s3.secretRef.name", "nobody"), "SecretNotFound", "secretRef.name", "nobody"
    )


def test_the_missing_key_of_a_secret_is_named(runner: Runner, spec: Spec) -> None:
    half = changed(spec, "source.s3.secretRef.name", "half")
    assert_refused(runner, half, "SecretIncomplete", "AWS_SECRET_ACCESS_KEY")


def test_weights_with_a_different_digest_are_refused(runner: Runner, spec: Spec) -> None:
    wrong = changed(spec, "detector.model.sha256", "0" * 64)
    assert_refused(runner, wrong, "ModelDigestMismatch", "spec.detector.model.sha256", "0" * 64)


def test_a_missing_model_file_is_named(runner: Runner, spec: Spec) -> None:
    missing = changed(spec, "extractor.model.weights", "file:///no/such/net.caffemodel")
    assert_refused(runner, missing, "ModelNotFound", "spec.extractor.model.weights", "/no/such/net.caffemodel")


def test_a_model_missing_from_the_store_is_named(runner: Runner, spec: Spec) -> None:
    missing = changed(spec, "extractor.model.weights", "s3://refusals/models/none.caffemodel")
    assert_refused(runner, missing, "ModelNotFound", "s3://refusals/models/none.caffemodel")


def with_prototxt(spec: Spec, tmp_path: Path, old: str, new: str) -> Spec:
    """The spec with the extractor's prototxt edited."""
    text = Path(spec["extractor"]["model"]["prototxt"].removeprefix("file://")).read_text()
    assert old in text
    path = tmp_path / "changed.prototxt"
    path.write_text(text.replace(old, new, 1))
    return changed(spec, "extractor.model.prototxt", f"file://{path}")


def test_a_prototxt_that_cannot_be_parsed_is_refused(runner: Runner, spec: Spec, tmp_path: Path) -> None:
    assert_refused(
        runner, with_prototxt(spec, tmp_path, "layer {", "layer {{"), "ModelInvalid", "spec.extractor.model", "line"
    )


def test_an_unknown_layer_type_is_refused(runner: Runner, spec: Spec, tmp_path: Path) -> None:
    unknown = with_prototxt(spec, tmp_path, 'type: "ReLU"', 'type: "Swish"')
    assert_refused(runner, unknown, "ModelInvalid", "spec.extractor.model", "'Swish'", "supported are")


def test_a_layer_missing_from_the_net_is_answered_with_a_similar_name(runner: Runner, spec: Spec) -> None:
    assert_refused(runner, changed(spec, "extractor.layer", "poool"), "ModelInvalid", "'poool'", "pool")


@pytest.mark.parametrize(
    ("engine", "known", "unknown"), [("bigdl", b'"Eltwise"', b'"Eltwice"'), ("openvino", b"\x04Conv", b"\x04Konv")]
)
def test_a_net_that_executors_cannot_compile_is_an_invalid_model(
    runner: Runner,
    spec: Spec,
    monkeypatch: pytest.MonkeyPatch,
    needs_spark: None,
    engine: str,
    known: bytes,
    unknown: bytes,
) -> None:
    original = Nets.files

    def corrupted(nets: Nets) -> NetFiles:
        files = original(nets)
        extractor = b"".join(files.extractor)
        assert known in extractor
        return NetFiles(files.detector, (extractor.replace(known, unknown),))

    monkeypatch.setattr(
        Nets, "files", corrupted
    )  # otherwise the driver, which knows what engines lack, refuses it first
    assert_refused(runner, {**spec, "engine": engine}, "ModelInvalid", f"engine {engine}", "tiny_extractor")


def test_an_output_that_is_not_writable_is_refused(runner: Runner, spec: Spec) -> None:
    assert_refused(
        runner, changed(spec, "output.uri", "file:///proc/nobody/table"), "OutputNotWritable", "spec.output.uri"
    )


def test_an_output_containing_another_runs_table_is_refused(runner: Runner, spec: Spec, tmp_path: Path) -> None:
    (tmp_path / "_manifest.json").write_text('{"uid": "other", "namespace": "team", "name": "older"}')
    assert_refused(
        runner, changed(spec, "output.uri", f"file://{tmp_path}"), "OutputExists", "spec.output.uri", "team/older"
    )


def test_an_empty_prefix_is_refused(runner: Runner, spec: Spec, store: Store) -> None:
    empty = changed(changed(spec, "source.s3.prefix", "nothing/"), "output.uri", "s3://refusals/empty")
    failure = runner.run(empty, uid="empty").failure
    assert failure is not None and failure.class_ == "SourceEmpty"
    assert failure.message.startswith("spec.source.s3: s3://") and "nothing/ has no files" in failure.message


def test_a_run_of_what_has_changed_in_an_empty_prefix_yields_a_table_with_columns_but_no_rows(
    runner: Runner, spec: Spec, store: Store, needs_spark: None
) -> None:
    empty = changed(changed(spec, "source.s3.prefix", "nothing/"), "output.uri", "s3://refusals/empty")
    empty = changed(empty, "source.changedSince", "s3://refusals/none")
    outcome = runner.run(empty, uid="empty")
    assert outcome.failure is None
    assert outcome.progress is not None
    assert outcome.progress.summary == "0/0"
    assert outcome.outputs[0].record_count == 0
    features = rows_of_bucket(store, "refusals", "empty").features
    assert features.num_rows == 0
    assert {"key", "feature", "score"} <= set(features.column_names)


def test_a_read_only_output_is_reported_as_access_denied(runner: Runner, spec: Spec, needs_spark: None) -> None:
    reader = changed(spec, "source.s3.secretRef.name", "reader")
    outcome = runner.run(changed(reader, "output.uri", "s3://refusals/forbidden"), uid="reader")
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == ("AccessDenied", False)
