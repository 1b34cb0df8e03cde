"""A Delta Lake table grows transaction by transaction and is readable by an independent library."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path

import deltalake
import pyarrow as arrow
import pytest
from featx_api.status import Progress
from featx_job import run
from featx_job.table.delta_entries import Entry

from tests.integration.job import drawings, resuming
from tests.integration.job.runs import Runner, Spec, job, rows_of_delta, rows_of_folder
from tests.integration.job.store import Store
from tests.support.process_tree import signal_tree

NAMES = [f"{number:03}.jpg" for number in range(20)]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for number, name in enumerate(NAMES):
        (folder / name).write_bytes(drawings.encoded(drawings.scene(seed=number)) if number else b"no image")
    return folder


def spec_of(images: Path, tiny: Spec, output: Spec, shard: int = 6) -> Spec:
    return {
        "source": {"files": {"uri": f"file://{images}"}},
        **tiny,
        "output": {"format": "delta", **output},
        "execution": {"shardImages": shard},
    }


def transactions(table: Path, uid: str) -> list[int]:
    """The versions of a run's transactions, in log order."""
    actions = [
        json.loads(line)
        for path in sorted((table / "_delta_log").glob("0*.json"))
        for line in path.read_text().splitlines()
    ]
    return [action["txn"]["version"] for action in actions if "txn" in action and action["txn"]["appId"] == uid]


def test_a_delta_table_lists_the_rows_and_columns_of_its_files(
    runner: Runner, tiny: Spec, images: Path, tmp_path: Path
) -> None:
    outcome = runner.run(spec_of(images, tiny, {"uri": f"file://{tmp_path}/table"}), "uid-delta")
    assert outcome.failure is None, outcome.failure
    assert {output.kind: output.format for output in outcome.outputs} == {"features": "delta", "quarantine": "parquet"}
    table = deltalake.DeltaTable(tmp_path / "table")
    assert (table.version(), table.transaction_version("uid-delta")) == (1, 0)
    query = deltalake.QueryBuilder().register("t", table).execute("SELECT key, feature, bits FROM t WHERE x0 >= 0")
    assert sorted(arrow.table(query.read_all())["key"].to_pylist()) == NAMES[1:]
    assert table.count() == len(NAMES) - 1  # from the log alone
    manifest = json.loads((tmp_path / "table" / "_manifest.json").read_text())
    parts = {file["path"] for file in manifest["files"] if not file["path"].startswith("_")}
    assert parts == {Path(uri).name for uri in table.file_uris()}


def test_a_delta_table_is_written_to_a_bucket(runner: Runner, store: Store, tiny: Spec, images: Path) -> None:
    store.put("delta", {})
    access = {"endpoint": store.endpoint, "secretRef": {"name": "store"}}
    assert runner.run(spec_of(images, tiny, {"uri": "s3://delta/table", "s3": access}), "uid").failure is None
    assert sorted(row["key"] for row in rows_of_delta(store, "s3://delta/table")) == NAMES[1:]


def test_an_existing_delta_table_is_not_overwritten(runner: Runner, tiny: Spec, images: Path, tmp_path: Path) -> None:
    (tmp_path / "table" / "_delta_log").mkdir(parents=True)
    (tmp_path / "table" / "_delta_log" / f"{0:020}.json").write_text("{}")
    outcome = runner.run(spec_of(images, tiny, {"uri": f"file://{tmp_path}/table"}), "uid-delta")
    assert outcome.failure is not None
    assert outcome.failure.class_ == "OutputExists"


def test_a_run_without_images_creates_an_empty_table(runner: Runner, tiny: Spec, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    spec = spec_of(tmp_path / "none", tiny, {"uri": f"file://{tmp_path}/table"})
    spec["source"]["changedSince"] = f"file://{tmp_path}/none"
    outcome = runner.run(spec, "uid-empty")
    assert outcome.failure is None, outcome.failure
    assert rows_of_folder(tmp_path / "table").rows == []


@pytest.fixture(scope="module")
def scene(tiny: Spec, tmp_path_factory: pytest.TempPathFactory) -> resuming.Scene:
    folder = tmp_path_factory.mktemp("delta")
    return resuming.scene(tiny, folder / "images", folder / "table", "delta")


def files_of(scene: resuming.Scene) -> list[tuple[int, int]]:
    """The first shard of each file of a run, and the one after its last, as the log records them."""
    entries = [Entry(path.read_bytes()) for path in sorted((scene.output / "_delta_log").glob("0*.json"))]
    return [(file.first, file.end) for entry in entries for file in entry.files()]


def assert_complete(scene: resuming.Scene) -> None:
    """Asserts that every image is present once, and that each file has the shards after those of the one before."""
    tables = rows_of_folder(scene.output)
    keys = Counter(row["key"] for row in [*tables.rows, *tables.quarantine])
    assert keys == Counter(f"{number:04}.jpg" for number in range(resuming.IMAGES))
    numbers = transactions(scene.output, scene.uid)
    assert numbers == list(range(len(numbers)))
    assert [end for _, end in files_of(scene)][-1] == resuming.SHARDS
    assert [first for first, _ in files_of(scene)] == [0, *(end for _, end in files_of(scene)[:-1])]
    assert len(files_of(scene)) <= 5, "a file holds up to twice as many shards as the one before"
    left = [path.name for name in ("features", "done", "joined") for path in (scene.run_folder / name).glob("*")]
    assert [name for name in left if not name.startswith(".")] == [], "hidden ones were begun by a killed process"


def test_files_of_the_table_are_readable_before_the_run_ends(
    scene: resuming.Scene, runner: Runner, tmp_path: Path
) -> None:
    growing = scene.with_output(tmp_path / "table")
    samples: list[tuple[int, int]] = []

    def record(progress: Progress) -> None:
        if (growing.output / "_delta_log").is_dir():
            samples.append((progress.images_done, deltalake.DeltaTable(growing.output).count()))

    outcome = run.run(job(growing.spec, growing.uid), runner.environment, record)
    assert outcome.failure is None, outcome.failure
    assert any(0 < rows < resuming.IMAGES * 0.9 for _, rows in samples)
    assert all(rows <= done for done, rows in samples)
    assert_complete(growing)


def test_a_killed_driver_is_resumed_after_its_last_transaction(
    scene: resuming.Scene, runner: Runner, tmp_path: Path
) -> None:
    with resuming.driver(scene, tmp_path, runner.environment) as process:
        resuming.wait_until(process, tmp_path, lambda: len(transactions(scene.output, scene.uid)) >= 1)
    assert files_of(scene)[-1][1] < resuming.SHARDS, "killed too late: the run was almost finished"
    log = {path.name: path.read_bytes() for path in (scene.output / "_delta_log").iterdir()}
    assert runner.run(scene.spec, scene.uid, attempt=2).failure is None
    assert {name: (scene.output / "_delta_log" / name).read_bytes() for name in log} == log
    assert_complete(scene)


def test_a_zombie_driver_commits_nothing_twice(scene: resuming.Scene, runner: Runner, tmp_path: Path) -> None:
    zombie = scene.with_output(tmp_path / "table")
    with resuming.driver(zombie, tmp_path, runner.environment) as process:
        resuming.wait_until(process, tmp_path, lambda: len(transactions(zombie.output, zombie.uid)) >= 1)
        signal_tree(process.pid, signal.SIGSTOP)
        assert files_of(zombie)[-1][1] < resuming.SHARDS, "stopped too late: the run was almost finished"
        assert runner.run(zombie.spec, zombie.uid, attempt=2).failure is None
        before = rows_of_folder(zombie.output).rows
        signal_tree(process.pid, signal.SIGCONT)
        process.wait(resuming.TIMEOUT)
    assert rows_of_folder(zombie.output).rows == before
    assert_complete(zombie)
    manifest = json.loads((zombie.output / "_manifest.json").read_text())
    named = {file["path"] for file in manifest["files"] if not file["path"].startswith("_")}
    assert named == {Path(uri).name for uri in deltalake.DeltaTable(zombie.output).file_uris()}
