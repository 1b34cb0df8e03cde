"""What the pod that checks a model reports, for nets that can be used and for files that are none."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from featx_api.contract import TERMINATION_MESSAGE_LIMIT
from featx_api.failures import FailureClass
from featx_api.nets import NamedNet
from featx_api.vision_model import FEATX_MODEL, TENSORS, Graph, ModelReport, Tensor
from featx_job.check_model import check, environment, main, shown
from featx_job.environment import Environment
from featx_job.failures import RunFailure
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.models import CaffeFiles
from tests.support.tiny_models import write_tiny_extractor, write_tiny_ssd


def net_of(files: CaffeFiles, **more: Any) -> NamedNet:
    digest = hashlib.sha256(files.caffemodel.read_bytes()).hexdigest()
    model = {"prototxt": files.prototxt.as_uri(), "weights": files.caffemodel.as_uri(), "sha256": digest}
    return NamedNet.from_wire({"model": model | more.pop("model", {}), **more})


def checked(net: NamedNet, folder: Path) -> ModelReport:
    """The report on this machine, where files may be anywhere."""
    return check(net, Environment(jars=folder, work=folder))


def test_a_net_is_summed_up(tmp_path: Path) -> None:
    graph = checked(net_of(write_tiny_extractor(tmp_path), layer="pool"), tmp_path).graph
    assert graph is not None
    assert graph.inputs == [Tensor(name="data", shape=[3, 48, 48])]
    assert (graph.layers, graph.parameters, graph.feature_length, graph.detector) == (17, 664, 12, False)
    assert graph.gflop_per_image == 0.0003


def test_an_ssd_is_a_detector(tmp_path: Path) -> None:
    graph = checked(net_of(write_tiny_ssd(tmp_path)), tmp_path).graph
    assert graph is not None and graph.detector


@pytest.mark.parametrize(
    ("more", "class_", "text"),
    [
        ({"model": {"sha256": "0" * 64}}, "ModelDigestMismatch", "spec.model.sha256 is 000"),
        ({"layer": "pol"}, "ModelInvalid", "spec.layer: the net has no layer 'pol'"),
        ({"model": {"weights": "file:///no/such/file"}}, "ModelNotFound", "spec.model.weights"),
    ],
)
def test_what_the_owner_has_to_correct_is_named(tmp_path: Path, more: Any, class_: str, text: str) -> None:
    report = checked(net_of(write_tiny_extractor(tmp_path), **more), tmp_path)
    assert report.failure and report.failure.class_ == class_
    assert report.failure.message.startswith(text)
    assert not report.retryable


@pytest.mark.parametrize(
    "data", [b"", b"\x00" * 100, b"\x08\x07" + b"\xff" * 50, b"%PDF-1.4", b"\x3a\xff\xff\xff\xff\x0f"]
)
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(data)
    model = {"onnx": path.as_uri(), "sha256": hashlib.sha256(data).hexdigest()}
    report = checked(NamedNet.from_wire({"model": model}), tmp_path)
    assert report.failure and report.failure.class_ == "ModelInvalid"


@pytest.mark.parametrize("uri", ["file:///etc/passwd", "claim://nets/../../../etc/passwd", "package:evil==1/x.onnx"])
def test_in_a_pod_only_claims_and_stores_are_read(tmp_path: Path, uri: str) -> None:
    net = NamedNet.from_wire({"model": {"onnx": "s3://a/b", "sha256": "0" * 64}})
    net = net.model_copy(update={"model": net.model.model_copy(update={"onnx": uri})})
    report = check(net, environment({"FEATX_WORK": str(tmp_path)}))
    assert report.failure and report.failure.class_ == "PathNotAllowed"


def test_the_report_is_the_termination_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "message"
    monkeypatch.setattr("featx_job.check_model.fetch.read", lambda *_: _refuse())
    net = {"model": {"onnx": "s3://models/a.onnx", "sha256": "0" * 64}}
    assert main({FEATX_MODEL: json.dumps(net)}, path) == 1
    report = ModelReport.from_json(path.read_text())
    assert report.failure and (report.failure.class_, report.retryable) == ("StoreUnreachable", True)


def _refuse() -> Any:
    raise RunFailure(FailureClass.STORE_UNREACHABLE, "no answer")


TEXT = st.text(max_size=16).map(lambda text: text * 8)
TENSOR = st.builds(Tensor, name=TEXT, shape=st.lists(st.integers(0, 2**53), max_size=8))


@settings(max_examples=20, deadline=None)
@given(
    st.builds(
        Graph,
        name=TEXT,
        layers=st.just(1),
        parameters=st.just(2**53),
        gflop_per_image=st.just(1.0),
        inputs=st.lists(TENSOR, max_size=1),
        outputs=st.lists(TENSOR, max_size=TENSORS),
    )
)
def test_a_report_always_fits_and_can_be_read(graph: Graph) -> None:
    text = shown(ModelReport(graph=graph))
    assert len(text.encode()) <= TERMINATION_MESSAGE_LIMIT
    assert ModelReport.from_json(text).graph is not None


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=500))
def test_a_failure_always_fits_and_can_be_read(message: str) -> None:
    report = ModelReport.from_wire({"failure": {"class": "ModelInvalid", "message": (message * 9)[:4096]}})
    text = shown(report)
    assert len(text.encode()) <= TERMINATION_MESSAGE_LIMIT
    assert ModelReport.from_json(text).failure is not None
