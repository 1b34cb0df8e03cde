"""Images and table on a volume of the node, through a PersistentVolumeClaim."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.names import ENDPOINT, NAMESPACE, STORE_SECRET
from tests.e2e.run.harness import Store, apply, kubectl, resource
from tests.integration.job.runs import rows_of_folder
from tests.support import images

FILES = images.paths(6)


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
        kubectl("delete", "fx", "claims", "--ignore-not-found")
        kubectl("delete", "pvc", "photos", "--wait=false")
        kubectl("delete", "pv", "featx-e2e-photos", "--wait=false")
        shutil.rmtree(path, ignore_errors=True)


def test_images_on_a_claim_become_a_table_on_the_same_claim(store: Store, resnet: dict[str, Any], folder: Path) -> None:
    (folder / "in" / "shoes").mkdir(parents=True)
    for path in FILES:
        shutil.copy(path, folder / "in" / "shoes" / path.name)
    access = {"endpoint": ENDPOINT, "secretRef": {"name": STORE_SECRET}}
    extractor = {**resnet, "model": {**resnet["model"], "s3": access}}
    body = resource("claims", store, None, extractor)
    body["spec"] |= {"source": {"claim": {"name": "photos", "path": "in"}}, "output": {"uri": "claim://photos/table"}}
    run = apply(body).wait()
    assert run.status["outputs"][0]["uri"] == "claim://photos/table"
    rows = rows_of_folder(folder / "table").rows
    assert sorted(row["key"] for row in rows) == sorted(f"shoes/{path.name}" for path in FILES)
    manifest = json.loads((folder / "table" / "_manifest.json").read_text())
    assert manifest["source"]["description"]["claim"]["name"] == "photos"
