"""A model is used only if its file can be read, has its digest, and is what its field says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from featx_api.nets import Model
from featx_api.resource import FeatureExtraction
from featx_job.environment import Cluster, Environment
from featx_job.failures import RunFailure
from featx_job.models import fetch
from featx_job.nets.caffe import caffe_reader
from featx_job.nets.graph.network import Network
from featx_job.nets.protobuf_wire import Part

from tests.support.bad_resources import changed
from tests.support.tiny_models import tiny_extractor

FIELD = "spec.extractor.model"
SPEC = FeatureExtraction.model_validate(changed("spec.suspend", False)).spec


def network(folder: Path, **files: bytes) -> int:
    """Return the number of layers of a model whose files have these contents."""
    uris = {}
    for name, content in files.items():
        (folder / name).write_bytes(content)
        uris[name] = f"file://{folder}/{name}"
    weights = files.get("onnx") or files["weights"]
    model = Model(**uris, sha256=hashlib.sha256(weights).hexdigest())
    return len(fetch.network(SPEC, model, FIELD, Environment(jars=folder, work=folder)).layers)


def test_a_model_is_read_from_its_files(tmp_path: Path) -> None:
    net = tiny_extractor()
    assert network(tmp_path, prototxt=net.prototxt().encode(), weights=net.caffemodel()) > 0


def test_weights_with_another_digest_are_refused_with_both_digests(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"weights")
    model = Model(onnx=f"file://{tmp_path}/net.onnx", sha256="0" * 64)
    with pytest.raises(RunFailure, match=f"{'0' * 64}.*{hashlib.sha256(b'weights').hexdigest()}") as refused:
        fetch.network(SPEC, model, FIELD, Environment(jars=tmp_path, work=tmp_path))
    assert refused.value.class_ == "ModelDigestMismatch"


def test_a_missing_file_is_reported_with_its_field(tmp_path: Path) -> None:
    model = Model(onnx=f"file://{tmp_path}/none.onnx", sha256="0" * 64)
    with pytest.raises(RunFailure, match=r"^spec\.extractor\.model\.onnx: .*none\.onnx") as refused:
        fetch.network(SPEC, model, FIELD, Environment(jars=tmp_path, work=tmp_path))
    assert refused.value.class_ == "ModelNotFound"


@pytest.mark.parametrize("prototxt", [b"\xff\xfe", b"layer {{"])
def test_a_prototxt_that_is_not_one_is_refused(prototxt: bytes, tmp_path: Path) -> None:
    with pytest.raises(RunFailure, match=r"^spec\.extractor\.model.*prototxt") as refused:
        network(tmp_path, prototxt=prototxt, weights=tiny_extractor().caffemodel())
    assert refused.value.class_ == "ModelInvalid"


def in_claim(folder: Path) -> tuple[Path, Environment]:
    """Return a claim with a model, and the driver pod that has it mounted."""
    claim = folder / "claims" / "models"
    claim.mkdir(parents=True)
    (claim / "net.prototxt").write_text(tiny_extractor().prototxt())
    (claim / "net.caffemodel").write_bytes(tiny_extractor().caffemodel())
    cluster = Cluster("good-1-driver", "team", "10.0.0.7", "featx/job:1", "/etc/featx/job/executor-pod.yaml")
    return claim, Environment(jars=folder, work=folder / "work", claims=folder / "claims", cluster=cluster)


def test_weights_that_change_or_shrink_on_their_claim_after_the_digest_was_compared_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, environment = in_claim(tmp_path)
    read = caffe_reader.read

    def meanwhile(text: str, weights: Part) -> Network:
        with (claim / "net.caffemodel").open("r+b") as file:  # the same file, as a process that has it mapped sees it
            file.write(b"changed")
            file.truncate(100)
        return read(text, weights)

    monkeypatch.setattr(caffe_reader, "read", meanwhile)
    digest = hashlib.sha256(tiny_extractor().caffemodel()).hexdigest()
    uri = "claim://models/net"
    model = Model(prototxt=f"{uri}.prototxt", weights=f"{uri}.caffemodel", sha256=digest)
    assert fetch.network(SPEC, model, FIELD, environment).layers


def test_a_file_that_is_larger_than_any_model_is_not_copied_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, environment = in_claim(tmp_path)
    monkeypatch.setattr(fetch, "MOST_BYTES", 1 << 20)
    with (claim / "endless.onnx").open("wb") as file:
        file.truncate(1 << 40)
    model = Model(onnx="claim://models/endless.onnx", sha256="0" * 64)
    with pytest.raises(RunFailure, match=r"^spec\.extractor\.model\.onnx: .*more than 1 MiB") as refused:
        fetch.network(SPEC, model, FIELD, environment)
    assert refused.value.class_ == "ModelInvalid"
