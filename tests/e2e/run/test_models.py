"""A real model in the store: checked by the job image, and used by a run that knows nothing but its name."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from featx_api.contract import STORE_LABEL
from featx_job.nets.caffe import caffe_reader
from featx_job.nets.onnx.onnx_writer import to_onnx

from tests.e2e.names import ACCESS_KEY, ENDPOINT, SECRET_KEY
from tests.e2e.polling import eventually
from tests.e2e.run.harness import BUCKET, Store, apply, kubectl, resource
from tests.support.tiny_models import EXTRACTOR_LAYER, EXTRACTOR_UNITS, write_tiny_extractor

SECRET = "models"


def ready_of(name: str) -> dict[str, Any]:
    """The condition Ready of a model, or nothing yet."""
    status = json.loads(kubectl("get", "fxm", name, "--output=json")).get("status") or {}
    return next((item for item in status.get("conditions", []) if item["type"] == "Ready"), {})


def apply_model(name: str, onnx: str, digest: str) -> None:
    access = {"endpoint": ENDPOINT, "secretRef": {"name": SECRET}}
    spec = {"model": {"onnx": onnx, "sha256": digest, "s3": access}, "layer": EXTRACTOR_LAYER, "licence": "MIT"}
    body = {"apiVersion": "featx.dev/v1alpha1", "kind": "VisionModel", "metadata": {"name": name}, "spec": spec}
    kubectl("apply", "--filename=-", stdin=body)


def test_a_model_is_checked_and_a_run_uses_it_by_its_name(
    store: Store, noise: dict[str, bytes], tmp_path: Path
) -> None:
    values = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    metadata = {"name": SECRET, "labels": {STORE_LABEL: "true"}}
    kubectl(
        "apply",
        "--filename=-",
        stdin={"kind": "Secret", "apiVersion": "v1", "metadata": metadata, "stringData": values},
    )
    files = write_tiny_extractor(tmp_path)
    data = to_onnx(caffe_reader.read(files.prototxt.read_text(), files.caffemodel.read_bytes()))
    store.put("models/tiny.onnx", data)
    try:
        apply_model("wrong", f"s3://{BUCKET}/models/tiny.onnx", "0" * 64)
        apply_model("tiny", f"s3://{BUCKET}/models/tiny.onnx", hashlib.sha256(data).hexdigest())
        eventually(lambda: ready_of("tiny").get("status") == "True", "Ready", 60)
        graph = json.loads(kubectl("get", "fxm", "tiny", "--output=json"))["status"]["graph"]
        assert graph["inputs"] == [{"name": "data", "shape": [3, 48, 48]}]
        assert (graph["parameters"], graph["featureLength"], graph["detector"]) == (728, EXTRACTOR_UNITS, False)
        eventually(lambda: ready_of("wrong").get("reason") == "ModelDigestMismatch", "a wrong digest", 60)
        assert hashlib.sha256(data).hexdigest() in ready_of("wrong")["message"]
        images = dict(list(noise.items())[:8])
        store.put_images("images/by-name", images)
        run = apply(resource("by-name", store, None, {"modelRef": {"name": "tiny"}})).wait()
        assert len(store.rows("tables/by-name")) == len(images)
        assert run.status["models"][0]["name"] == "tiny"
    finally:
        kubectl("delete", "fxm", "wrong", "tiny", "--ignore-not-found", "--wait=false")
