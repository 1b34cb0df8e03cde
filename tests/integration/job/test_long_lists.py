"""Runs whose list is in pieces, as those of more than 65,536 images have it: here pieces are small."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from featx_api.failures import FailureClass
from featx_api.status import Progress
from featx_job import listing, planning, run
from featx_job.failures import RunFailure
from featx_job.source import listed_shards, pieces
from featx_job.source.local import LocalSource
from featx_job.source.objects import SourceObject

from tests.integration.job import resuming
from tests.integration.job.drawings import encoded
from tests.integration.job.drawings import scene as drawing
from tests.integration.job.resuming import IMAGES, Scene
from tests.integration.job.runs import Runner, Spec, job, rows_of_bucket, rows_of_folder
from tests.integration.job.store import Store

PIECE, FIRST = 64, 12


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (pieces, listing, planning, listed_shards):
        monkeypatch.setattr(module, "PIECE_OBJECTS", PIECE)
    monkeypatch.setattr(listed_shards, "FIRST_SHARDS", 3)
    monkeypatch.setattr(listed_shards, "FIRST_IMAGES", FIRST)
    monkeypatch.setattr(listed_shards, "CARRIED_KEYS", FIRST)  # later shards are read from pieces
    monkeypatch.setattr(listed_shards, "WAVES", 3)


@pytest.fixture(scope="module")
def images(tiny: Spec, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("long")
    by_work = resuming.scene(tiny, folder / "images", folder / "table", "delta")
    del by_work.spec["execution"]["shardImages"]
    return by_work


def kinds(output: Path, uid: str) -> list[int]:
    """The number of images of each shard, as its stages have it."""
    stages = sorted((output / "_featx" / uid / "stages").glob("*.json"))
    return [images for stage in stages for images in json.loads(stage.read_text())["images"]]


def assert_complete(output: Path) -> None:
    tables = rows_of_folder(output)
    keys = Counter(row["key"] for row in [*tables.rows, *tables.quarantine])
    assert keys == Counter(f"{number:04}.jpg" for number in range(IMAGES))


def test_every_image_of_a_long_list_is_processed_once(images: Scene, runner: Runner, tmp_path: Path) -> None:
    scene = images.with_output(tmp_path / "table")
    outcome = runner.run(scene.spec, scene.uid)
    assert outcome.failure is None, outcome.failure
    assert outcome.progress
    assert (outcome.progress.images_total, outcome.progress.images_done) == (IMAGES, IMAGES)
    sizes = kinds(scene.output, scene.uid)
    assert outcome.progress.shards_total == outcome.progress.shards_done == len(sizes)
    assert sum(sizes) == IMAGES
    assert max(sizes) > FIRST, "no shard was read from pieces"
    assert_complete(scene.output)
    assert len(list((scene.run_folder / "list").iterdir())) == -(-IMAGES // PIECE) + 1


def test_the_next_attempt_has_the_same_shards_and_a_later_run_knows_them(
    images: Scene, runner: Runner, tmp_path: Path
) -> None:
    scene = images.with_output(tmp_path / "table")

    class Stopped(Exception):
        """Ends the first attempt in the middle."""

    def stop(progress: Progress) -> None:
        if progress.images_done > 3 * FIRST:
            raise Stopped

    first = run.run(job(scene.spec, scene.uid), runner.environment, stop)
    assert first.failure is not None
    planned = kinds(scene.output, scene.uid)
    assert runner.run(scene.spec, scene.uid, attempt=2).failure is None
    assert kinds(scene.output, scene.uid)[: len(planned)] == planned
    assert_complete(scene.output)
    later = {**scene.spec, "source": {**scene.spec["source"], "changedSince": f"file://{scene.output}"}}
    again = runner.run({**later, "output": {"uri": f"file://{tmp_path}/later"}}, "uid-later")
    assert again.failure is None, again.failure
    assert again.outputs[0].record_count == 0


def test_a_listing_that_fails_in_the_middle_is_continued(
    images: Scene, runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = images.with_output(tmp_path / "table")
    whole = LocalSource.objects

    def broken(self: LocalSource, **settings: Any) -> Iterator[SourceObject]:
        for number, file in enumerate(whole(self, **settings)):
            if number == 150:
                raise RunFailure(FailureClass.STORE_UNREACHABLE, "the store does not respond")
            yield file

    with monkeypatch.context() as patched:
        patched.setattr(LocalSource, "objects", broken)
        first = runner.run(scene.spec, scene.uid)
    assert first.failure is not None
    assert (first.failure.class_, first.retryable) == ("StoreUnreachable", True)
    assert len(list((scene.run_folder / "list").iterdir())) == 150 // PIECE
    assert runner.run(scene.spec, scene.uid, attempt=2).failure is None
    assert_complete(scene.output)


def test_a_table_of_plain_files_is_computed_by_work_too(images: Scene, runner: Runner, tmp_path: Path) -> None:
    spec = {**images.spec, "output": {"uri": f"file://{tmp_path}/table", "format": "parquet"}}
    outcome = runner.run(spec, "uid-plain")
    assert outcome.failure is None, outcome.failure
    assert_complete(tmp_path / "table")
    assert len(list((tmp_path / "table").glob("part-*"))) == len(kinds(tmp_path / "table", "uid-plain"))


def test_the_list_of_a_bucket_is_read_by_executors_from_the_outputs_bucket(
    runner: Runner, store: Store, tiny: Spec
) -> None:
    image = encoded(drawing(seed=1))
    names = [f"{number:03} ü%2F.jpg" for number in range(150)]
    store.put("long", {f"images/{name}": image for name in names})
    source = {"endpoint": store.endpoint, "bucket": "long", "prefix": "images/", "secretRef": {"name": "store"}}
    spec = {"source": {"s3": source}, **tiny, "output": {"uri": "s3://long/table"}}
    outcome = runner.run(spec, "uid-bucket")
    assert outcome.failure is None, outcome.failure
    rows = rows_of_bucket(store, "long", "table").rows
    assert sorted(row["key"] for row in rows) == [f"images/{name}" for name in names]
    assert [key for key in store.keys("long", "table/_featx/uid-bucket/list/") if key.endswith(".parquet")]
