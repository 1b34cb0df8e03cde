"""`featx retry-failed` prints a resource that retries quarantined images; `featx read` reads a whole source."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec, rows_of_bucket
from tests.integration.job.store import Store
from tests.integration.job.test_retrieval import featx

BUCKET = "quarantine"
LARGE = drawings.encoded(drawings.scene(1600, 1000))


@pytest.fixture(scope="module")
def resource(runner: Runner, store: Store, tiny: Spec) -> dict[str, Any]:
    """A finished run with three quarantined images: two too large, one not an image."""
    small = drawings.encoded(drawings.scene())
    images = {"a.jpg": small, "b.jpg": LARGE, "c.jpg": b"no image", "d.jpg": small, "größe.jpg": LARGE}
    store.put(BUCKET, {f"images/{name}": data for name, data in images.items()})
    source = {"endpoint": store.endpoint, "bucket": BUCKET, "prefix": "images/", "secretRef": {"name": "store"}}
    spec = {
        "source": {"s3": source},
        **tiny,
        "output": {"uri": f"s3://{BUCKET}/table"},
        "errors": {"maxFailedFraction": 1},
        "limits": {"megapixels": 1},
    }
    assert runner.run(spec, "uid-quarantine").failure is None
    return {"apiVersion": "featx.dev/v1alpha1", "kind": "FeatureExtraction", "metadata": {"name": "shop"}, "spec": spec}


def call(store: Store, resource: dict[str, Any], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "run.yaml").write_text(yaml.safe_dump(resource))
    command, *options = arguments
    return featx(store, command, str(folder / "run.yaml"), *options)


def test_images_that_failed_for_a_reason_are_retried_into_a_second_table(
    runner: Runner, store: Store, resource: dict[str, Any], tmp_path: Path
) -> None:
    printed = call(store, resource, tmp_path, "retry-failed", "--reason=TooManyPixels")
    assert printed.returncode == 0, printed.stderr
    again = yaml.safe_load(printed.stdout)
    assert again["metadata"]["name"] == "shop-retry"
    again["spec"]["limits"]["megapixels"] = 2
    assert runner.run(again["spec"], "uid-retry").failure is None
    tables = rows_of_bucket(store, BUCKET, "table-retry")
    assert sorted(row["key"] for row in tables.rows) == ["images/b.jpg", "images/größe.jpg"]
    assert tables.quarantine == []


def test_an_image_deleted_in_the_meantime_is_quarantined_again(
    runner: Runner, store: Store, resource: dict[str, Any], tmp_path: Path
) -> None:
    again = yaml.safe_load(call(store, resource, tmp_path, "retry-failed", "--suffix=-gone").stdout)
    again["spec"]["source"]["keys"].append("images/gone.jpg")
    assert runner.run(again["spec"], "uid-gone").failure is None
    reasons = rows_of_bucket(store, BUCKET, "table-gone").reasons()
    assert reasons["images/gone.jpg"] == ("read", "Missing")
    assert sorted(reasons) == ["images/b.jpg", "images/c.jpg", "images/gone.jpg", "images/größe.jpg"]


def test_a_reason_without_failures_is_answered_with_the_reasons_that_occurred(
    store: Store, resource: dict[str, Any], tmp_path: Path
) -> None:
    outcome = call(store, resource, tmp_path, "retry-failed", "--reason=Truncated")
    assert outcome.returncode == 2
    assert "no image failed for --reason Truncated" in outcome.stderr
    assert "TooManyPixels (2)" in outcome.stderr and "NotAnImage (1)" in outcome.stderr


def test_a_source_is_read_without_nets(store: Store, resource: dict[str, Any], tmp_path: Path) -> None:
    outcome = call(store, resource, tmp_path, "read", "--format=json")
    assert outcome.returncode == 0, outcome.stderr
    report = json.loads(outcome.stdout)
    assert (report["images"], report["unreadable"], report["shards"]) == (5, 0, 1)
    assert report["bytes"] == sum(len(store.get(BUCKET, key)) for key in store.keys(BUCKET, "images/"))


def test_an_unreadable_source_is_reported_in_one_line(store: Store, resource: dict[str, Any], tmp_path: Path) -> None:
    spec = {**resource["spec"], "source": {"s3": {**resource["spec"]["source"]["s3"], "bucket": "nothing"}}}
    outcome = call(store, {**resource, "spec": spec}, tmp_path, "read")
    assert outcome.returncode == 2
    assert "BucketNotFound: spec.source.s3" in outcome.stderr
    assert "Traceback" not in outcome.stderr
