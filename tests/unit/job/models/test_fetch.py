"""A model is used only if its file can be read, has its digest, and is what its field says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from featx_api.nets import Model
from featx_api.resource import FeatureExtraction
from featx_job.environment import Environment
from featx_job.failures import RunFailure
from featx_job.models import fetch

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
