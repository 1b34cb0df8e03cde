"""From S3 to S3, and from a folder to a folder: what a finished run has left behind, and how it says so."""

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

# What people call their files.
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
    seen: list[Progress]


def images() -> dict[str, bytes]:
    return {name: drawings.encoded(drawings.scene(seed=seed)) for seed, name in enumerate(NAMES)}


@pytest.fixture(scope="module")
def from_bucket(runner: Runner, store: Store, tiny: Spec) -> Finished:
    store.put("shop", {f"images/{name}": data for name, data in images().items()})
    store.put("shop", {"other/not-asked-for.jpg": b"x"})
    source = {"endpoint": store.endpoint, "bucket": "shop", "prefix": "images/", "secretRef": {"name": "store"}}
    spec = {
        "source": {"s3": source},
        **tiny,
        "output": {"uri": "s3://shop/tables/first"},
        "execution": {"shardImages": 5},
    }
    outcome = runner.run(spec)
    assert outcome.failure is None
    return Finished(outcome, rows_of_bucket(store, "shop", "tables/first"), list(runner.seen))


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
    return Finished(outcome, rows_of_folder(output), list(runner.seen))


@pytest.fixture(params=["from_bucket", "from_folder"])
def finished(request: pytest.FixtureRequest) -> Finished:
    found: Finished = request.getfixturevalue(request.param)
    return found


def test_every_image_of_a_bucket_is_a_row_whatever_its_key(from_bucket: Finished) -> None:
    assert from_bucket.tables.quarantine == []
    assert [row["key"] for row in from_bucket.tables.rows] == sorted(
        (f"images/{name}" for name in NAMES), key=lambda key: key.encode()
    )


def test_every_image_of_a_folder_is_a_row_whatever_its_name_and_hidden_ones_are_not(from_folder: Finished) -> None:
    assert from_folder.tables.quarantine == []
    assert [row["key"] for row in from_folder.tables.rows] == sorted(NAMES, key=lambda key: key.encode())


def test_the_columns_are_those_of_the_contract(finished: Finished) -> None:
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


def test_bits_are_the_feature_above_its_mean_packed_like_numpy(finished: Finished) -> None:
    for row in finished.tables.rows:
        feature = np.array(row["feature"], np.float32)
        assert feature.shape == (12,)
        assert row["bits"] == np.packbits(feature > feature.mean(dtype=np.float64)).tobytes()


def test_the_box_is_that_of_the_red_subject(finished: Finished) -> None:
    for row in finished.tables.rows:
        assert (row["width"], row["height"], row["class"]) == (160, 120, 1)
        assert row["score"] > 0.5
        assert 0 <= row["x0"] < row["x1"] <= 160 and 0 <= row["y0"] < row["y1"] <= 120


def test_a_bucket_and_a_folder_give_the_same_features(from_bucket: Finished, from_folder: Finished) -> None:
    features = [
        {Path(row["key"]).name: row["feature"] for row in finished.tables.rows}
        for finished in (from_bucket, from_folder)
    ]
    assert features[0] == features[1]


def test_progress_grows_to_the_whole_and_says_how_fast(finished: Finished) -> None:
    done = [each.images_done for each in finished.seen]
    assert done == sorted(done) and done[-1] == len(NAMES)
    last = finished.outcome.progress
    assert last is not None
    assert (last.images_total, last.images_failed, last.shards_done, last.shards_total) == (len(NAMES), 0, 4, 4)
    assert last.images_per_second is not None and last.images_per_second > 0


def test_the_outcome_names_the_table(from_bucket: Finished) -> None:
    (table,) = from_bucket.outcome.outputs
    assert (table.uri, table.kind, table.record_count) == ("s3://shop/tables/first", "features", len(NAMES))
    assert table.manifest == "s3://shop/tables/first/_manifest.json"


def test_the_outcome_counts_the_bytes_that_are_there(from_bucket: Finished, store: Store) -> None:
    listed = store.client.list_objects("shop", "tables/first/part-")
    assert from_bucket.outcome.outputs[0].bytes == sum(each.size or 0 for each in listed)


def test_a_finished_table_has_its_manifest_and_success_and_nothing_half_done(
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


def test_the_manifest_names_each_file_with_the_digest_of_what_is_there(from_bucket: Finished, store: Store) -> None:
    manifest = json.loads(store.get("shop", "tables/first/_manifest.json"))
    found = {file["path"]: (file["bytes"], file["sha256"]) for file in manifest["files"]}
    keys = [key for key in store.keys("shop", "tables/first/part-") if key.endswith(".parquet")]
    data = {key.removeprefix("tables/first/"): store.get("shop", key) for key in keys}
    assert found == {name: (len(each), hashlib.sha256(each).hexdigest()) for name, each in data.items()}
    assert sum(file["rows"] for file in manifest["files"]) == len(NAMES)


def test_no_secret_is_in_anything_that_was_written(from_bucket: Finished, store: Store) -> None:
    for key in store.keys("shop", "tables/first/"):
        assert b"secret-of-tests" not in store.get("shop", key)


def test_a_finished_run_that_is_run_again_returns_the_same_at_once(
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
def test_an_image_that_another_one_replaces_while_a_run_goes_is_read_as_it_is_then(
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

    def replace(progress: Progress) -> None:
        # The first word of a run's progress is that it was listed; nothing has been read by then.
        if not progress.images_done:
            put(*after)

    outcome = run.run(job(spec), runner.environment, replace)
    assert outcome.failure is None
    (row,) = rows_of_folder(tmp_path / "table").rows
    assert (row["width"], row["height"]) == after


def test_keys_that_are_no_paths_are_read_by_their_names(runner: Runner, store: Store, tiny: Spec) -> None:
    names = ["a//b.jpg", "e f+g%20h#i?j.jpg", "ü/名.jpg", "k:l.jpg"]
    store.put("names", {f"images/{name}": drawings.encoded(drawings.scene()) for name in names})
    source = {"endpoint": store.endpoint, "bucket": "names", "prefix": "images/", "secretRef": {"name": "store"}}
    outcome = runner.run({"source": {"s3": source}, **tiny, "output": {"uri": "s3://names/table"}})
    assert outcome.failure is None
    assert {row["key"] for row in rows_of_bucket(store, "names", "table").rows} == set(store.keys("names", "images/"))
