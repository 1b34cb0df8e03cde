"""A run that is killed goes on where it stopped: nothing twice, nothing lost, nothing that is done done again."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.integration.job import resuming
from tests.integration.job.resuming import IMAGES, PATIENCE, SHARDS, UID, Scene, Stamps, driver, until_some_are_done
from tests.integration.job.runs import Runner, Spec, Tables, rows_of_folder


@pytest.fixture(scope="module")
def scene(tiny: Spec, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return resuming.scene(tiny, tmp_path_factory.mktemp("many"), tmp_path_factory.mktemp("output"))


class Killed(NamedTuple):
    done: set[str]
    stamps: Stamps
    listed: bytes


@pytest.fixture(scope="module")
def killed(scene: Scene, runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """What is there when driver and JVM were killed with some shards done and others not."""
    folder = tmp_path_factory.mktemp("killed")
    with driver(scene, folder, runner.environment) as process:
        until_some_are_done(scene, process, folder)
    done = scene.done()
    assert 3 <= len(done) < SHARDS, "it was killed too late to be in the middle"
    stamps = {name: stamp for name, stamp in scene.stamps().items() if _mark(name) in done}
    return Killed(done, stamps, (scene.run_folder / "shards.json.gz").read_bytes())


class Healed(NamedTuple):
    tables: Tables
    stamps: Stamps


@pytest.fixture(scope="module")
def healed(scene: Scene, killed: Killed, runner: Runner) -> Healed:
    # What is added meanwhile does not move anything to another shard.
    (Path(scene.spec["source"]["files"]["uri"].removeprefix("file://")) / "0000-added.jpg").write_bytes(b"added")
    outcome = runner.run(scene.spec, UID, attempt=2)
    assert outcome.failure is None
    progress = outcome.progress
    assert progress is not None
    assert (progress.images_total, progress.images_done, progress.images_failed) == (IMAGES, IMAGES, IMAGES // 50)
    return Healed(rows_of_folder(scene.output), scene.stamps())


def test_no_image_is_lost_and_none_is_there_twice(healed: Healed) -> None:
    keys = [row["key"] for row in healed.tables.rows] + [row["key"] for row in healed.tables.quarantine]
    assert sorted(keys) == [f"{number:04}.jpg" for number in range(IMAGES)]
    assert len(healed.tables.quarantine) == IMAGES // 50


def test_shards_that_were_done_are_not_done_again(killed: Killed, healed: Healed) -> None:
    assert len(killed.stamps) == len(killed.done)
    assert {name: healed.stamps[name] for name in killed.stamps} == killed.stamps


def test_the_first_attempts_shard_list_stands(scene: Scene, killed: Killed, healed: Healed) -> None:
    assert (scene.run_folder / "shards.json.gz").read_bytes() == killed.listed


def test_nothing_half_written_stays_beside_the_table(scene: Scene, healed: Healed) -> None:
    assert sorted(path.name for path in scene.output.iterdir() if path.name.startswith(".")) == []


def test_a_publication_that_was_cut_off_is_completed(scene: Scene, healed: Healed, runner: Runner) -> None:
    (scene.output / "_SUCCESS").unlink()
    (scene.output / "_manifest.json").unlink()
    (scene.run_folder / "manifest.json").unlink()
    (scene.output / "part-00007.parquet").rename(scene.run_folder / "features" / "part-00007.parquet")
    outcome = runner.run(scene.spec, UID, attempt=3)
    assert outcome.failure is None
    assert (scene.output / "_SUCCESS").exists()
    assert scene.stamps() == healed.stamps
    assert rows_of_folder(scene.output).rows == healed.tables.rows


def test_another_resource_with_the_same_output_is_refused(scene: Scene, healed: Healed, runner: Runner) -> None:
    outcome = runner.run(scene.spec, "another-uid")
    assert outcome.failure is not None
    assert outcome.failure.class_ == "OutputExists"
    assert "spec.output.uri" in outcome.failure.message and "tests/catalog" in outcome.failure.message
    assert not outcome.retryable


def test_a_driver_that_was_believed_dead_and_wakes_up_adds_nothing(
    scene: Scene, runner: Runner, tmp_path: Path
) -> None:
    asleep = scene.elsewhere(tmp_path / "table")
    with driver(asleep, tmp_path, runner.environment) as process:
        until_some_are_done(asleep, process, tmp_path)
        os.killpg(process.pid, signal.SIGSTOP)
        assert len(asleep.done()) < SHARDS, "it fell asleep too late to be in the middle"
        assert runner.run(asleep.spec, UID, attempt=2).failure is None
        before = rows_of_folder(asleep.output).rows
        os.killpg(process.pid, signal.SIGCONT)
        process.wait(PATIENCE)
    tables = rows_of_folder(asleep.output)
    assert tables.rows == before
    keys = [row["key"] for row in [*tables.rows, *tables.quarantine]]
    assert len(keys) == len(set(keys)) >= IMAGES


def _mark(name: str) -> str:
    return f"{name.removeprefix('part-').removesuffix('.parquet')}.json"
