"""`source.changedSince`: runs over images that are new or changed since earlier tables, per kind of store."""

from __future__ import annotations

import os
from pathlib import Path

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec, rows_of_bucket, rows_of_folder
from tests.integration.job.store import Store

BUCKET = "incremental"
FIRST, SECOND = (drawings.encoded(drawings.scene(seed=seed)) for seed in (1, 2))


def test_a_second_run_processes_only_new_and_changed_objects(runner: Runner, store: Store, tiny: Spec) -> None:
    store.put(BUCKET, {"images/same.jpg": FIRST, "images/changed.jpg": FIRST, "images/broken.jpg": b"none"})
    access = {"endpoint": store.endpoint, "secretRef": {"name": "store"}}
    source = {**access, "bucket": BUCKET, "prefix": "images/"}

    def run(day: str) -> None:
        spec = {
            "source": {"s3": source, "changedSince": f"s3://{BUCKET}/tables"},
            **tiny,
            "output": {"uri": f"s3://{BUCKET}/tables/{day}"},
            "errors": {"maxFailedFraction": 1},
        }
        outcome = runner.run(spec, f"uid-{day}")
        assert outcome.failure is None

    run("monday")
    store.put(BUCKET, {"images/changed.jpg": SECOND, "images/deep/er/new.jpg": FIRST})
    run("tuesday")
    tables = rows_of_bucket(store, BUCKET, "tables/tuesday")
    assert sorted(row["key"] for row in tables.rows) == ["images/changed.jpg", "images/deep/er/new.jpg"]
    assert tables.quarantine == []  # the broken image has not changed
    run("wednesday")
    assert rows_of_bucket(store, BUCKET, "tables/wednesday").rows == []


def test_files_count_as_changed_if_their_modification_time_differs(runner: Runner, tiny: Spec, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (images / name).write_bytes(FIRST)
    source = {"files": {"uri": f"file://{images}"}, "changedSince": f"file://{tmp_path}/tables"}
    for day in ("monday", "tuesday"):
        output = {"output": {"uri": f"file://{tmp_path}/tables/{day}"}}
        assert runner.run({"source": source, **tiny, **output}, f"uid-{day}").failure is None
        os.utime(images / "b.jpg")
    assert len(rows_of_folder(tmp_path / "tables" / "monday").rows) == 2
    assert [row["key"] for row in rows_of_folder(tmp_path / "tables" / "tuesday").rows] == ["b.jpg"]


def test_an_output_prefix_containing_unrelated_objects_is_refused(runner: Runner, store: Store, tiny: Spec) -> None:
    store.put(BUCKET, {"strangers/holiday.jpg": FIRST})
    access = {"endpoint": store.endpoint, "secretRef": {"name": "store"}}
    source = {"s3": {**access, "bucket": BUCKET, "prefix": "images/"}}
    outcome = runner.run({"source": source, **tiny, "output": {"uri": f"s3://{BUCKET}/strangers"}}, "uid-strangers")
    assert outcome.failure is not None
    assert outcome.failure.class_ == "OutputExists"
    assert "holiday.jpg" in outcome.failure.message
