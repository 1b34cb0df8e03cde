"""Images and table on a volume of the node, through a PersistentVolumeClaim."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.e2e.names import ENDPOINT, STORE_SECRET
from tests.e2e.run.harness import Store, apply, resource
from tests.integration.job.runs import rows_of_folder
from tests.support import images

FILES = images.paths(6)


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
