"""From S3 to S3 and from folder to folder: what a finished run leaves behind and reports."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as arrow
import pytest
from featx_api.contract import Outcome
from featx_api.status import Progress
from featx_job import run

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec, Tables, job, rows_of_bucket, rows_of_folder
from tests.integration.job.store import Store

# File names as users choose them.
NAMES = [
    "plain.jpg",
    "with space.jpg",
    "größe.jpg",
    "no#1.jpg",
    "100%.jpg",
    "%20.jpg",
    "a+b.jpg",
    "a&b=c.jpg",
    "12:30.jpg",
    "why?.jpg",
    "[x]{y}.jpg",
    "日本/写真.jpg",
    "deep/er/and/deeper.jpg",
    "_leading.jpg",
    "no_extension",
    "quote'\".jpg",
]


class Finished(NamedTuple):
    outcome: Outcome
    tables: Tables
    reports: list[Progress]


def images() -> dict[str, bytes]:
    return {name: drawings.encoded(drawings.scene(seed=seed)) for seed, name in enumerate(NAMES)}


@pytest.fixture(scope="module")
def from_bucket(runner: Runner, store: Store, tiny: Spec) -> Finished:
    store.put("shop", {f"images/{name}": data for name, data in images().items()})
    store.put("shop", {"other/not-in-prefix.jpg": b"x"})
    source = {"endpoint": store.endpoint, "bucket": "shop", "prefix": "images/", "secretRef": {"name": "store"}}
    spec = {
        "source": {"s3": source},
        **tiny,
        "output": {"uri": "s3://shop/tables/first"},
        "execution": {"shardImages": 5},
    }
    outcome = runner.run(spec)
    assert outcome.failure is None
    return Finished(outcome, rows_of_bucket(store, "shop", "tables/first"), list(runner.reports))


@pytest.fixture(scope="module")
def from_folder(runner: Runner, tiny: Spec, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder, output = tmp_path_factory.mktemp("images"), tmp_path_factory.mktemp("output") / "a" / "table"
    for name, data in images().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / ".hidden.jpg").write_bytes(b"x")
    (folder / ".git").mkdir()
    (folder / ".git" / "image.jpg").write_bytes(b"x")
    spec = {
        "source": {"files": {"uri": f"file://{folder}"}},
        **tiny,
        "output": {"uri": f"file://{output}"},
        "execution": {"shardImages": 5},
    }
    outcome = runner.run(spec, uid="uid-2")
    assert outcome.failure is None
    return Finished(outcome, rows_of_folder(output), list(runner.reports))


@pytest.fixture(params=["from_bucket", "from_folder"])
def finished(request: pytest.FixtureRequest) -> Finished:
    finished_run: Finished = request.getfixturevalue(request.param)
    return finished_run


def test_every_object_in_a_bucket_becomes_a_row_whatever_its_key(from_bucket: Finished) -> None:
    assert from_bucket.tables.quarantine == []
    assert [row["key"] for row in from_bucket.tables.rows] == sorted(
        (f"images/{name}" for name in NAMES), key=lambda key: key.encode()
    )


def test_every_file_in_a_folder_becomes_a_row_unless_it_is_hidden(from_folder: Finished) -> None:
    assert from_folder.tables.quarantine == []
    assert [row["key"] for row in from_folder.tables.rows] == sorted(NAMES, key=lambda key: key.encode())


def test_columns_have_the_documented_names_and_types(finished: Finished) -> None:
    schema = finished.tables.features.schema
    kinds = {name: schema.field(name).type for name in schema.names}
    number, whole = arrow.float32(), arrow.int32()
    feature = kinds.pop("feature")
    assert arrow.types.is_list(feature) and feature.value_type == number
    assert kinds == {
        "key": arrow.string(),
        "x0": number,
        "y0": number,
        "x1": number,
        "y1": number,
        "score": number,
        "class": whole,
        "bits": arrow.binary(),
        "width": whole,
        "height": whole,
    }


def test_bits_mark_feature_values_above_the_mean_packed_like_numpy(finished: Finished) -> None:
    for row in finished.tables.rows:
        feature = np.array(row["feature"], np.float32)
        assert feature.shape == (12,)
        assert row["bits"] == np.packbits(feature > feature.mean(dtype=np.float64)).tobytes()


def test_every_box_lies_within_the_image_and_has_the_class_of_the_subject(finished: Finished) -> None:
    for row in finished.tables.rows:
        assert (row["width"], row["height"], row["class"]) == (160, 120, 1)
        assert row["score"] > 0.5
        assert 0 <= row["x0"] < row["x1"] <= 160 and 0 <= row["y0"] < row["y1"] <= 120


def test_a_bucket_and_a_folder_yield_the_same_features(from_bucket: Finished, from_folder: Finished) -> None:
    features = [
        {Path(row["key"]).name: row["feature"] for row in finished.tables.rows}
        for finished in (from_bucket, from_folder)
    ]
    assert features[0] == features[1]


def test_progress_increases_to_the_total_and_reports_the_speed(finished: Finished) -> None:
    done = [report.images_done for report in finished.reports]
    assert done == sorted(done) and done[-1] == len(NAMES)
    last = finished.outcome.progress
    assert last is not None
    assert (last.images_total, last.images_failed, last.shards_done, last.shards_total) == (len(NAMES), 0, 4, 4)
    assert last.images_per_second is not None and last.images_per_second > 0


def test_the_outcome_names_the_table(from_bucket: Finished) -> None:
    (table,) = from_bucket.outcome.outputs
    assert (table.uri, table.kind, table.record_count) == ("s3://shop/tables/first", "features", len(NAMES))
    assert table.manifest == "s3://shop/tables/first/_manifest.json"


def test_the_outcome_reports_the_size_of_the_table(from_bucket: Finished, store: Store) -> None:
    listed = store.client.list_objects("shop", "tables/first/part-")
    assert from_bucket.outcome.outputs[0].bytes == sum(item.size or 0 for item in listed)


def test_a_finished_table_has_a_manifest_and_success_marker_but_no_partial_files(
    from_bucket: Finished, store: Store
) -> None:
    keys = store.keys("shop", "tables/first/")
    assert {"tables/first/_SUCCESS", "tables/first/_manifest.json"} <= set(keys)
    assert not [key for key in keys if "/features/" in key]
    manifest = json.loads(store.get("shop", "tables/first/_manifest.json"))
    assert manifest["uid"] == "uid-1"
    assert manifest["source"]["images"] == len(NAMES)
    assert manifest["extractor"]["length"] == 12
    assert manifest["outputs"][0]["recordCount"] == len(NAMES)


def test_the_manifest_lists_each_file_with_its_size_and_digest(from_bucket: Finished, store: Store) -> None:
    manifest = json.loads(store.get("shop", "tables/first/_manifest.json"))
    listed = {file["path"]: (file["bytes"], file["sha256"]) for file in manifest["files"]}
    keys = [key for key in store.keys("shop", "tables/first/part-") if key.endswith(".parquet")]
    data = {key.removeprefix("tables/first/"): store.get("shop", key) for key in keys}
    assert listed == {name: (len(part), hashlib.sha256(part).hexdigest()) for name, part in data.items()}
    assert sum(file["rows"] for file in manifest["files"]) == len(NAMES)


def test_nothing_written_contains_a_secret(from_bucket: Finished, store: Store) -> None:
    for key in store.keys("shop", "tables/first/"):
        assert b"secret-of-tests" not in store.get("shop", key)


def test_repeating_a_finished_run_returns_its_outcome_immediately(
    runner: Runner, from_bucket: Finished, store: Store, tiny: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("featx_job.run.fetch.load", lambda *_: pytest.fail("nothing is left to do"))
    source = {"endpoint": store.endpoint, "bucket": "shop", "prefix": "images/", "secretRef": {"name": "store"}}
    outcome = runner.run({"source": {"s3": source}, **tiny, "output": {"uri": "s3://shop/tables/first"}}, attempt=2)
    assert outcome.result == "Succeeded"
    assert outcome.outputs == from_bucket.outcome.outputs
    assert outcome.progress == from_bucket.outcome.progress


@pytest.mark.parametrize("kind", ["bucket", "folder"])
@pytest.mark.parametrize(("before", "after"), [((640, 480), (160, 120)), ((160, 120), (640, 480))])
def test_an_image_replaced_during_a_run_is_read_in_its_new_version(
    kind: str, before: tuple[int, int], after: tuple[int, int], runner: Runner, store: Store, tiny: Spec, tmp_path: Path
) -> None:
    (tmp_path / "images").mkdir()

    def put(width: int, height: int) -> None:
        data = drawings.encoded(drawings.scene(width, height))
        store.put("replaced", {"one.jpg": data})
        (tmp_path / "images" / "one.jpg").write_bytes(data)

    put(*before)
    bucket = {"endpoint": store.endpoint, "bucket": "replaced", "secretRef": {"name": "store"}}
    sources = {"bucket": {"s3": bucket}, "folder": {"files": {"uri": f"file://{tmp_path}/images"}}}
    spec = {"source": sources[kind], **tiny, "output": {"uri": f"file://{tmp_path}/table"}}

    reports: list[Progress] = []

    def replace_image(progress: Progress) -> None:
        # A run first reports progress after listing, before anything is read; later reports may come while it is.
        reports.append(progress)
        if len(reports) == 1:
            put(*after)

    outcome = run.run(job(spec), runner.environment, replace_image)
    assert outcome.failure is None
    (row,) = rows_of_folder(tmp_path / "table").rows
    assert (row["width"], row["height"]) == after


def test_keys_that_are_not_valid_paths_are_read(runner: Runner, store: Store, tiny: Spec) -> None:
    names = ["a//b.jpg", "e f+g%20h#i?j.jpg", "ü/名.jpg", "k:l.jpg"]
    store.put("names", {f"images/{name}": drawings.encoded(drawings.scene()) for name in names})
    source = {"endpoint": store.endpoint, "bucket": "names", "prefix": "images/", "secretRef": {"name": "store"}}
    outcome = runner.run({"source": {"s3": source}, **tiny, "output": {"uri": "s3://names/table"}})
    assert outcome.failure is None
    assert {row["key"] for row in rows_of_bucket(store, "names", "table").rows} == set(store.keys("names", "images/"))
