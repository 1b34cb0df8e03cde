"""`featx similar`, `duplicates` and `fit-deepbit`, as users call them, on a table and images in a real store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import deltalake
import numpy as np
import pyarrow as pa
import pytest
import skimage
import yaml
from featx_cli import named_models as models

from tests.integration.job.runs import Runner
from tests.integration.job.store import ADMIN, Store

BUCKET = "retrieval"
PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")


@pytest.fixture(scope="module")
def resource(store: Store) -> dict[str, Any]:
    """A run over photographs and a copy of one of them, re-encoded at half the size."""
    photographs = Path(str(skimage.__file__)).parent / "data"
    photos = {name: (photographs / name).read_bytes() for name in PHOTOS}
    cat = cv2.imdecode(np.frombuffer(photos["chelsea.png"], np.uint8), cv2.IMREAD_COLOR)
    small = cv2.resize(cat, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    photos["copies/cat 2.jpg"] = cv2.imencode(".jpg", small)[1].tobytes()
    store.put(BUCKET, {f"images/{name}": data for name, data in photos.items()})
    extractor = {**models.squeezenet_extractor(), "binarize": {}}
    source = {"endpoint": store.endpoint, "bucket": BUCKET, "prefix": "images/", "secretRef": {"name": "store"}}
    spec = {"source": {"s3": source}, "extractor": extractor, "output": {"uri": f"s3://{BUCKET}/table"}}
    return {"apiVersion": "featx.dev/v1alpha1", "kind": "FeatureExtraction", "metadata": {"name": "s3"}, "spec": spec}


@pytest.fixture(scope="module")
def table(runner: Runner, resource: dict[str, Any]) -> str:
    outcome = runner.run(resource["spec"], "uid-retrieval")
    assert outcome.failure is None
    return f"s3://{BUCKET}/table"


def featx(store: Store, *arguments: str, secret: str = ADMIN[1]) -> subprocess.CompletedProcess[str]:
    credentials = {"AWS_ACCESS_KEY_ID": ADMIN[0], "AWS_SECRET_ACCESS_KEY": secret, "AWS_ENDPOINT_URL": store.endpoint}
    command = [sys.executable, "-m", "featx_cli", *arguments]
    return subprocess.run(command, env={**os.environ, **credentials}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("by", ["feature", "bits"])
def test_the_nearest_image_is_the_copy(store: Store, table: str, by: str) -> None:
    outcome = featx(
        store, "similar", table, "--key", "images/chelsea.png", "--count", "2", "--by", by, "--format", "json"
    )
    assert outcome.returncode == 0, outcome.stderr
    nearest, second = json.loads(outcome.stdout)
    assert nearest["key"] == "images/copies/cat 2.jpg"
    assert nearest["distance"] < second["distance"]


def test_the_larger_image_represents_its_group(store: Store, table: str) -> None:
    outcome = featx(store, "duplicates", table, "--format", "json")
    assert outcome.returncode == 0, outcome.stderr
    ((first, second),) = json.loads(outcome.stdout)
    assert (first["key"], second["key"]) == ("images/chelsea.png", "images/copies/cat 2.jpg")


def test_a_table_of_small_files_in_a_bucket_is_compacted_while_it_stays_readable(store: Store) -> None:
    options = {"AWS_ENDPOINT_URL": store.endpoint, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}
    options |= {"AWS_ACCESS_KEY_ID": ADMIN[0], "AWS_SECRET_ACCESS_KEY": ADMIN[1], "aws_conditional_put": "etag"}
    small = f"s3://{BUCKET}/small"
    for number in range(5):
        deltalake.write_deltalake(small, pa.table({"key": [f"{number}"]}), mode="append", storage_options=options)
    outcome = featx(store, "compact", small)
    assert (outcome.returncode, outcome.stdout) == (0, "5 files are 1 now: 5 were joined into 1\n"), outcome.stderr
    compacted = deltalake.DeltaTable(small, storage_options=options)
    assert len(compacted.file_uris()) == 1
    assert sorted(compacted.to_pyarrow_table()["key"].to_pylist()) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("arguments", "secret", "words"),
    [
        (
            ["similar", f"s3://{BUCKET}/table", "--key", "images/chelsey.png"],
            ADMIN[1],
            "similar keys: images/chelsea.png",
        ),
        (["duplicates", f"s3://{BUCKET}/nothing"], ADMIN[1], "not a table"),
        (["duplicates", f"s3://{BUCKET}/table"], "wrong", f"s3://{BUCKET}/table: can't be read"),
        (["compact", f"s3://{BUCKET}/nothing"], ADMIN[1], "has no Delta log"),
        (["compact", f"s3://{BUCKET}/table"], "wrong", f"s3://{BUCKET}/table: can't be compacted"),
        (["duplicates", "ftp://somewhere"], ADMIN[1], "only folders, file:/// and s3:// can be read"),
        (["duplicates", f"s3://{BUCKET}/table", "--threshold=-1"], ADMIN[1], "--threshold must be 0 or more"),
    ],
)
def test_a_failed_query_is_reported_in_one_line(
    store: Store, table: str, arguments: list[str], secret: str, words: str
) -> None:
    outcome = featx(store, *arguments, secret=secret)
    assert outcome.returncode == 2
    assert outcome.stderr.startswith("error: ")
    assert words in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert secret not in outcome.stderr


def test_requesting_more_bits_than_images_is_refused(store: Store, resource: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(resource))
    outcome = featx(store, "fit-deepbit", str(tmp_path / "run.yaml"), "--bits=16", f"--output={tmp_path / 'net.onnx'}")
    assert outcome.returncode == 2
    assert "16 bits, but 5 images" in " ".join(outcome.stderr.split())
    assert not (tmp_path / "net.onnx").exists()
