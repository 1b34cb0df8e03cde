"""A killed run resumes where it stopped: no image is duplicated, lost, or processed again."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest
from featx_job.table.parquet_publisher import ParquetPublisher

from tests.integration.job import resuming
from tests.integration.job.resuming import IMAGES, SHARDS, TIMEOUT, UID, Scene, Stamps, driver, wait_for_some_shards
from tests.integration.job.runs import Runner, Spec, Tables, rows_of_folder
from tests.support.process_tree import signal_tree


@pytest.fixture(scope="module")
def scene(tiny: Spec, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return resuming.scene(tiny, tmp_path_factory.mktemp("many"), tmp_path_factory.mktemp("output"))


class Killed(NamedTuple):
    done: set[str]
    stamps: Stamps
    shard_list: bytes


@pytest.fixture(scope="module")
def killed(scene: Scene, runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """State after driver and JVM were killed with only some shards done."""
    folder = tmp_path_factory.mktemp("killed")
    with driver(scene, folder, runner.environment) as process:
        wait_for_some_shards(scene, process, folder)
    done = scene.done()
    assert 3 <= len(done) < SHARDS, "killed too late: the run was almost finished"
    stamps = {name: stamp for name, stamp in scene.file_stamps().items() if _mark(name) in done}
    return Killed(done, stamps, (scene.run_folder / "shards.json.gz").read_bytes())


class Resumed(NamedTuple):
    tables: Tables
    stamps: Stamps


@pytest.fixture(scope="module")
def resumed(scene: Scene, killed: Killed, runner: Runner) -> Resumed:
    # An image added in the meantime must not move others to different shards.
    (Path(scene.spec["source"]["files"]["uri"].removeprefix("file://")) / "0000-added.jpg").write_bytes(b"added")
    with patch.object(ParquetPublisher, "clean_up"):  # as if the driver had died before
        outcome = runner.run(scene.spec, UID, attempt=2)
    assert outcome.failure is None
    progress = outcome.progress
    assert progress is not None
    assert (progress.images_total, progress.images_done, progress.images_failed) == (IMAGES, IMAGES, IMAGES // 50)
    return Resumed(rows_of_folder(scene.output), scene.file_stamps())


def test_no_image_is_lost_or_duplicated(resumed: Resumed) -> None:
    keys = [row["key"] for row in resumed.tables.rows] + [row["key"] for row in resumed.tables.quarantine]
    assert sorted(keys) == [f"{number:04}.jpg" for number in range(IMAGES)]
    assert len(resumed.tables.quarantine) == IMAGES // 50


def test_finished_shards_are_not_processed_again(killed: Killed, resumed: Resumed) -> None:
    assert len(killed.stamps) == len(killed.done)
    assert {name: resumed.stamps[name] for name in killed.stamps} == killed.stamps


def test_the_first_attempts_shard_list_is_reused(scene: Scene, killed: Killed, resumed: Resumed) -> None:
    assert (scene.run_folder / "shards.json.gz").read_bytes() == killed.shard_list


def test_no_partial_files_remain_beside_the_table(scene: Scene, resumed: Resumed) -> None:
    assert sorted(path.name for path in scene.output.iterdir() if path.name.startswith(".")) == []


def test_an_interrupted_publication_is_completed(scene: Scene, resumed: Resumed, runner: Runner) -> None:
    (scene.output / "_SUCCESS").unlink()
    (scene.output / "_manifest.json").unlink()
    (scene.run_folder / "manifest.json").unlink()
    (scene.output / "part-00007.parquet").rename(scene.run_folder / "features" / "part-00007.parquet")
    outcome = runner.run(scene.spec, UID, attempt=3)
    assert outcome.failure is None
    assert (scene.output / "_SUCCESS").exists()
    assert scene.file_stamps() == resumed.stamps
    assert rows_of_folder(scene.output).rows == resumed.tables.rows


def test_another_resource_with_the_same_output_is_refused(scene: Scene, resumed: Resumed, runner: Runner) -> None:
    outcome = runner.run(scene.spec, "another-uid")
    assert outcome.failure is not None
    assert outcome.failure.class_ == "OutputExists"
    assert "spec.output.uri" in outcome.failure.message and "tests/catalog" in outcome.failure.message
    assert not outcome.retryable


def test_a_zombie_driver_adds_no_rows(scene: Scene, runner: Runner, tmp_path: Path) -> None:
    zombie = scene.with_output(tmp_path / "table")
    with driver(zombie, tmp_path, runner.environment) as process:
        wait_for_some_shards(zombie, process, tmp_path)
        signal_tree(process.pid, signal.SIGSTOP)
        assert len(zombie.done()) < SHARDS, "stopped too late: the run was almost finished"
        assert runner.run(zombie.spec, UID, attempt=2).failure is None
        before = rows_of_folder(zombie.output).rows
        signal_tree(process.pid, signal.SIGCONT)
        process.wait(TIMEOUT)
    tables = rows_of_folder(zombie.output)
    assert tables.rows == before
    keys = [row["key"] for row in [*tables.rows, *tables.quarantine]]
    assert len(keys) == len(set(keys)) >= IMAGES


def _mark(name: str) -> str:
    return f"{name.removeprefix('part-').removesuffix('.parquet')}.json"
