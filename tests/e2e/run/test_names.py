"""Images whose names are not ASCII, or not even UTF-8, read by executors in pods: from a volume and from a bucket."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import Any

from featx_job.source import keys

from tests.e2e.names import ENDPOINT, STORE_SECRET
from tests.e2e.run.harness import Store, apply, resource
from tests.integration.job.runs import rows_of_folder

NAMES = [
    *(
        "größe.jpg",
        unicodedata.normalize("NFD", "größe.jpg"),
        "\U0001f45f.jpg",
        "a b.jpg",
        "100%+#?.jpg",
        "new\nline.jpg",
    ),
    "my photos/日本語.jpg",
]
BYTES = [b"caf\xe9.jpg", "画像.jpg".encode("shift-jis")]


def test_files_of_any_name_on_a_claim_become_rows(
    store: Store, tiny: dict[str, Any], noise: dict[str, bytes], folder: Path
) -> None:
    names = [*map(str.encode, NAMES), *BYTES]
    for name, image in zip([*names, b".DS_Store"], noise.values(), strict=False):
        path = folder / "Größe 1" / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image)
    access = {"endpoint": ENDPOINT, "secretRef": {"name": STORE_SECRET}}
    extractor = {**tiny, "model": {**tiny["model"], "s3": access}}
    body = resource("names-claim", store, None, extractor)
    source = {"claim": {"name": "photos", "path": "Größe 1"}}
    body["spec"] |= {"source": source, "output": {"uri": "claim://photos/table"}}
    run = apply(body).wait()
    rows = rows_of_folder(folder / "table").rows
    assert sorted(row["key"] for row in rows) == sorted(map(keys.from_bytes, names))
    progress = run.status["progress"]
    assert (progress["imagesDone"], progress["imagesFailed"], progress["filesSkipped"]) == (len(names), 0, 1)


def test_objects_of_any_name_become_rows_and_globs_select_among_them(
    store: Store, tiny: dict[str, Any], noise: dict[str, bytes]
) -> None:
    images = dict(zip([*NAMES, "ünused.PNG", "._a.jpg", "x/Thumbs.db"], noise.values(), strict=False))
    store.put_images("images/names", images)
    body = resource("names", store, None, tiny)
    body["spec"]["source"] |= {"include": ["*.{jpg,png}"], "exclude": ["Ünused.*"]}
    run = apply(body).wait()
    rows = store.rows("tables/names")
    assert sorted(row["key"] for row in rows) == sorted(keys.from_text(f"images/names/{name}") for name in NAMES)
    assert run.status["progress"]["filesSkipped"] == 3
