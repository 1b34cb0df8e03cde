"""`featx retry-failed` prints a resource that retries quarantined images; `featx read` reads a whole source."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
import yaml

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec, Tables, rows_of_bucket, rows_of_folder
from tests.integration.job.store import Store
from tests.integration.job.test_retrieval import featx
from tests.support.packed_files import tar, zipped
from tests.support.web_server import served

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


def retried(runner: Runner, store: Store, spec: Spec, folder: Path, **changes: Any) -> Tables:
    """Runs a spec over a folder, and again what failed, with changes; returns the tables of the second run."""
    spec |= {"output": {"uri": f"file://{folder}/table"}, "errors": {"maxFailedFraction": 1}}
    first = runner.run(spec, f"{folder.name}-first")
    assert first.failure is None, first.failure
    names = {"apiVersion": "featx.dev/v1alpha1", "kind": "FeatureExtraction", "metadata": {"name": "packed"}}
    printed = call(store, {**names, "spec": spec}, folder, "retry-failed")
    assert printed.returncode == 0, printed.stderr
    again = yaml.safe_load(printed.stdout)["spec"] | changes
    second = runner.run(again, f"{folder.name}-second")
    assert second.failure is None, second.failure
    return rows_of_folder(folder / "table-retry")


def test_images_in_archives_are_retried_by_file_and_name(
    runner: Runner, store: Store, tiny: Spec, tmp_path: Path
) -> None:
    small, source = drawings.encoded(drawings.scene()), tmp_path / "in"
    source.mkdir()
    (source / "a.tar").write_bytes(tar({"x/1.jpg": small, "x/2.jpg": LARGE, "3.jpg": small}) * 2)
    (source / "b.zip").write_bytes(zipped([("1.jpg", LARGE), ("2.jpg", b"no image"), ("3.jpg", small)]))
    (source / "c.tar").write_bytes(tar({"1.jpg": small, "2.jpg": small})[:4000])
    spec = {"source": {"files": {"uri": f"file://{source}"}, "packed": {}}, **tiny, "limits": {"megapixels": 1}}
    tables = retried(runner, store, spec, tmp_path, limits={"megapixels": 2})
    assert sorted(row["key"] for row in tables.rows) == ["a.tar/x/2.jpg", "a.tar/x/2.jpg#4", "b.zip/1.jpg"]
    assert tables.reasons() == {"b.zip/2.jpg": ("decode", "NotAnImage"), "c.tar": ("read", "Truncated")}


def test_rows_of_a_table_of_urls_are_retried(runner: Runner, store: Store, tiny: Spec, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with served({"000.jpg": drawings.encoded(drawings.scene())}) as web:
        fetching = replace(runner, environment=replace(runner.environment, url_hosts=(web.address,)))
        urls = [f"{web.url}/{name}" for name in ("000.jpg", "status/404", "status/403")]
        table = arrow.table({"id": ["a", "b", "c"], "url": urls})
        parquet.write_table(table, tmp_path / "in" / "urls.parquet")
        spec = {"source": {"files": {"uri": f"file://{tmp_path}/in"}, "packed": {"urlColumn": "url"}}, **tiny}
        tables = retried(fetching, store, spec, tmp_path)
        assert len(web.requests["/000.jpg"]) == 1
    assert {key: reason for key, (_, reason) in tables.reasons().items()} == {
        "urls.parquet/b": "Missing",
        "urls.parquet/c": "Refused",
    }


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
