"""The store with its models and images. The operator is the chart's, installed before pytest runs (tests/e2e)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from featx_api.contract import STORE_LABEL
from minio import Minio

from examples.cluster.reach import reachable
from tests.e2e.names import ACCESS_KEY, NAMESPACE, SECRET_KEY, STORE_SECRET
from tests.e2e.run.harness import Store, kubectl
from tests.support.models import res10, resnet50_thin
from tests.support.tiny_models import EXTRACTOR_LAYER, write_tiny_extractor


@pytest.fixture(scope="session")
def store() -> Iterator[Store]:
    """The S3 server of the cluster, and the Secret with its credentials."""
    values = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    metadata = {"name": STORE_SECRET, "labels": {STORE_LABEL: "true"}}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}
    kubectl("delete", "fx", "--all")  # an earlier session's
    kubectl("apply", "--filename=-", stdin=secret)
    with reachable("store", "s3", 8333) as address:
        client = Minio(address, ACCESS_KEY, SECRET_KEY, secure=False)
        store = Store(client)
        for item in list(client.list_objects("e2e", recursive=True)):
            client.remove_object("e2e", str(item.object_name))
        yield store
    kubectl("delete", "fx", "--all", "--namespace", NAMESPACE)


@pytest.fixture(scope="session")
def faces(store: Store) -> dict[str, Any]:
    """The detector of a spec: the real face SSD."""
    return {
        "model": store.put_model("res10", res10()),
        "input": {"mean": [104, 177, 123]},
        "crop": {"margin": 0.1, "minArea": 0},
    }


@pytest.fixture(scope="session")
def resnet(store: Store) -> dict[str, Any]:
    """The extractor of a spec: the real ResNet."""
    model = store.put_model("resnet50_thin", resnet50_thin())
    return {"model": model, "input": {"mean": [104, 117, 123]}, "layer": "pool", "binarize": {}}


@pytest.fixture(scope="session")
def tiny(store: Store, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The extractor of a spec: a net of a few kilobytes."""
    files = write_tiny_extractor(tmp_path_factory.mktemp("models"))
    return {"model": store.put_model("tiny", files), "layer": EXTRACTOR_LAYER}


@pytest.fixture(scope="session")
def noise() -> dict[str, bytes]:
    """Two hundred small images."""
    generator = np.random.default_rng(7)
    images = {}
    for index in range(200):
        pixels = generator.integers(0, 255, (64, 48, 3), dtype=np.uint8)
        images[f"{index:03}.jpg"] = cv2.imencode(".jpg", pixels)[1].tobytes()
    return images


@pytest.fixture
def folder() -> Iterator[Path]:
    """The folder behind the claim `photos`; pods run as a user who owns nothing in it."""
    path = Path(tempfile.mkdtemp(prefix="featx-volume-"))
    path.chmod(0o777)
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "featx-e2e-photos"},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteMany"],
            "storageClassName": "featx-e2e",
            "hostPath": {"path": str(path), "type": "Directory"},
            "claimRef": {"namespace": NAMESPACE, "name": "photos"},
        },
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "photos"},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "storageClassName": "featx-e2e",
            "volumeName": "featx-e2e-photos",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    for body in (volume, claim):
        kubectl("apply", "--filename=-", stdin=body)
    try:
        yield path
    finally:
        kubectl("delete", "fx", "claims", "names-claim", "--ignore-not-found")
        kubectl("delete", "pvc", "photos", "--wait=false")
        kubectl("delete", "pv", "featx-e2e-photos", "--wait=false")
        shutil.rmtree(path, ignore_errors=True)
