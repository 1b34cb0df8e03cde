"""Each group of shards is committed once, whoever else writes to the table, and conflicts end in a merge."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from featx_api.executor_contract import KeyRange, ReplacementResult, ReplacementTask, RewrittenFile, ShardResult
from featx_job.failures import RunFailure
from featx_job.local_files import on_this_machine
from featx_job.table import delta_entries
from featx_job.table.delta_entries import Committer, Entry, Snapshot
from featx_job.table.delta_log import DeltaLog
from featx_job.table.delta_publisher import BASE, DeltaPublisher
from featx_job.table.output import RunOutput
from featx_job.table.run_files import RunFiles
from featx_job.table.storage.local import LocalStorage

SHARDS = 20
NIGHT = datetime(2026, 11, 26, 3, tzinfo=UTC)
OTHER = Committer("another", "other", "featx/1")
NETS = {"detector": None, "extractor": {"model": "ab"}}


def shard(index: int, file: str = "part", row: str | None = None) -> ShardResult:
    key = row or f"{index:02}"
    return ShardResult(
        index=index,
        file=f"{file}-{index}.parquet",
        features=1,
        failures=0,
        skipped=0,
        bytes=10,
        failure_bytes=0,
        precision="f32",
        sha256="ab",
        failure_sha256="",
        keys=KeyRange(first=key, last=key),
    )


DONE = {index: shard(index) for index in range(SHARDS)}


class Snapshots:
    """The newest version of a table as Delta Kernel would report it, from entries alone."""

    def __init__(self, root: Path) -> None:
        self._storage = LocalStorage(on_this_machine(root, "spec.output.uri"))

    def newest(self) -> Snapshot:
        versions = delta_entries.versions(file.path for file in self._storage.files(delta_entries.FOLDER))
        files: dict[str, dict[str, Any]] = {}
        schema = ""
        for version in versions:
            for line in (self._storage.read(delta_entries.entry_path(version)) or b"").splitlines():
                action = json.loads(line)
                schema = action.get("metaData", {}).get("schemaString", schema)
                files.pop(action.get("remove", {}).get("path"), None)
                if added := action.get("add"):
                    files[added["path"]] = {"path": added["path"], "uri": added["path"], "stats": added["stats"]}
        return Snapshot(versions[-1], 2, [], schema, {}, [], list(files.values()))

    def write_checkpoint(self, version: int) -> None:
        raise AssertionError(f"checkpoint of version {version}")


class Run:
    """A driver of a run, with a table in a folder."""

    def __init__(self, root: Path, nets: dict[str, Any] | None = None, uid: str = "mine") -> None:
        files = RunFiles(LocalStorage(on_this_machine(root, "spec.output.uri")), uid, f"file://{root}")
        self.log = DeltaLog(files.storage, Committer(uid, "catalog", "featx/1"), patience=30)
        self.publisher = DeltaPublisher(files, self.log, Snapshots(root), nets)
        self.output = RunOutput(files, self.publisher)


def foreign_entry(root: Path, version: int, data: bytes) -> None:
    assert LocalStorage(on_this_machine(root, "spec.output.uri")).create(delta_entries.entry_path(version), data)


def committed_files(root: Path) -> list[str]:
    return sorted(file["path"] for file in Snapshots(root).newest().files)


def rewritten(task: ReplacementTask, rows: int, keys: KeyRange) -> ReplacementResult:
    file = RewrittenFile(file=task.file, rows=rows, bytes=5, sha256="ab", keys=keys)
    return ReplacementResult(path=task.path, removed=1, rewritten=file)


def no_rewrite(tasks: list[ReplacementTask]) -> list[ReplacementResult]:
    raise AssertionError(tasks)


def test_groups_are_committed_in_order_as_soon_as_they_are_complete(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.publisher.resume() == []
    run.publisher.publish_shards({index: DONE[index] for index in range(7)}, SHARDS)
    assert run.publisher.finalize({index: DONE[index] for index in range(7)}, SHARDS, no_rewrite) != []
    done = Run(tmp_path).publisher.resume()
    assert [shard.index for shard in done] == list(range(7))


def test_a_commit_leaves_no_thread_behind(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.publisher.resume()
    run.publisher.publish_shards(DONE, SHARDS)
    run.publisher.finalize(DONE, SHARDS, no_rewrite)
    for thread in threading.enumerate():
        if thread.name.startswith("delta-commit"):
            thread.join(10)
            assert not thread.is_alive()
    assert committed_files(tmp_path) == sorted(shard.file for shard in DONE.values())


def test_the_group_of_a_driver_that_was_believed_dead_is_adopted_with_its_files(tmp_path: Path) -> None:
    first, second = Run(tmp_path), Run(tmp_path)
    first.publisher.resume()
    second.publisher.resume()
    theirs = {index: shard(index, "theirs") for index in range(SHARDS)}
    first.publisher.finalize(theirs, SHARDS, no_rewrite)
    assert [shard.file for shard in second.publisher.finalize(DONE, SHARDS, no_rewrite)] == [
        shard.file for shard in theirs.values()
    ]
    assert committed_files(tmp_path) == sorted(shard.file for shard in theirs.values())


def test_an_entry_of_another_writer_is_passed_over(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.publisher.resume()
    foreign_entry(tmp_path, 1, delta_entries.append(OTHER, 0, NIGHT, [shard(99, "foreign")]))
    run.publisher.finalize(DONE, SHARDS, no_rewrite)
    assert run.log.version == 1 + 3
    assert len(committed_files(tmp_path)) == SHARDS + 1


def test_a_table_whose_columns_change_during_the_run_is_refused(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.publisher.resume()
    foreign_entry(tmp_path, 1, delta_entries.creation(OTHER, NIGHT))
    with pytest.raises(RunFailure, match="changed during the run") as refused:
        run.publisher.finalize(DONE, SHARDS, no_rewrite)
    assert refused.value.class_ == "OutputExists"


def test_a_table_that_another_run_creates_first_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create = LocalStorage.create

    def overtaken(self: LocalStorage, path: str, data: bytes) -> bool:
        create(self, path, delta_entries.creation(OTHER, NIGHT))
        return create(self, path, data)

    monkeypatch.setattr(LocalStorage, "create", overtaken)
    with pytest.raises(RunFailure, match="another run has created a table"):
        Run(tmp_path).publisher.resume()


@pytest.mark.parametrize("attempts", [0, 1])
def test_a_new_table_is_never_added_to_another_runs(tmp_path: Path, attempts: int) -> None:
    """The other run's table appears after the output was found empty: before this run's base is saved, or after."""
    run = Run(tmp_path)
    run.publisher.check_output()
    if attempts:
        RunFiles(LocalStorage(on_this_machine(tmp_path, "spec.output.uri")), "mine", "").save(BASE, b'{"base": -1}')
    foreign_entry(tmp_path, 0, delta_entries.creation(OTHER, NIGHT))
    with pytest.raises(RunFailure, match="another run has created a table") as refused:
        run.publisher.resume()
    assert refused.value.class_ == "OutputExists"


def test_rows_that_another_run_adds_meanwhile_are_replaced_by_a_merge(tmp_path: Path) -> None:
    run = Run(tmp_path, NETS)
    run.publisher.resume()
    foreign_entry(tmp_path, 1, delta_entries.append(OTHER, 0, NIGHT, [shard(99, "foreign", "03")]))
    tasks: list[ReplacementTask] = []

    def rewrite(files: list[ReplacementTask]) -> list[ReplacementResult]:
        tasks.extend(files)
        return [rewritten(task, rows=0, keys=KeyRange(first=None, last=None)) for task in files]

    assert run.publisher.finalize(DONE, SHARDS, rewrite) == list(DONE.values())
    assert run.publisher.updates_table
    assert [task.path for task in tasks] == ["foreign-99.parquet"]
    assert committed_files(tmp_path) == sorted(shard.file for shard in DONE.values())


def test_a_merge_gives_up_after_some_conflicts_and_leaves_no_rewritten_file(tmp_path: Path) -> None:
    run = Run(tmp_path, NETS)
    foreign_entry(tmp_path, 0, delta_entries.creation(OTHER, NIGHT))
    run.publisher.resume()
    assert run.publisher.updates_table
    rounds: list[str] = []

    def overtaken(tasks: list[ReplacementTask]) -> list[ReplacementResult]:
        version = run.log.version + 1
        foreign_entry(tmp_path, version, delta_entries.append(OTHER, version, NIGHT, [shard(version, "foreign", "03")]))
        for task in tasks:
            (tmp_path / task.file).write_bytes(b"rows")
            rounds.append(task.file)
        return [rewritten(task, rows=1, keys=KeyRange(first="x", last="x")) for task in tasks]

    foreign_entry(tmp_path, 1, delta_entries.append(OTHER, 1, NIGHT, [shard(1, "foreign", "03")]))
    with pytest.raises(RunFailure, match="10 commit conflicts") as failure:
        run.publisher.finalize(DONE, SHARDS, overtaken)
    assert (failure.value.class_, failure.value.retryable) == ("OutputBusy", True)
    assert rounds
    assert not list(tmp_path.glob("part-*-*-*.parquet"))


def test_a_table_that_others_change_during_a_merge_is_checked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path, NETS)
    foreign_entry(tmp_path, 0, delta_entries.creation(OTHER, NIGHT))
    run.output.finished()
    run.publisher.resume()
    newest = Snapshots.newest
    monkeypatch.setattr(Snapshots, "newest", lambda self: replace(newest(self), partitions=["day"]))
    with pytest.raises(RunFailure, match="cannot be updated") as refused:
        run.publisher.finalize(DONE, SHARDS, no_rewrite)
    assert refused.value.class_ == "OutputExists"
    assert not committed_files(tmp_path)


@pytest.mark.parametrize(("commits", "written"), [(9, []), (10, [10]), (11, [11])])
def test_a_checkpoint_is_written_once_the_last_one_is_ten_commits_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commits: int, written: list[int]
) -> None:
    run, checkpoints = Run(tmp_path), list[int]()
    monkeypatch.setattr(Snapshots, "write_checkpoint", lambda _, version: checkpoints.append(version))
    run.log.version = commits
    run.output.files.storage.write(delta_entries.LAST_CHECKPOINT, b'{"version": 0}')
    run.publisher.complete()
    assert checkpoints == written


def test_an_entry_that_is_neither_accepted_nor_shown_ends_the_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    monkeypatch.setattr(LocalStorage, "create", lambda *_: now[0] > 1000)
    with pytest.raises(RunFailure, match="neither accepts nor shows") as failure:
        Run(tmp_path).log.create_table()
    assert (failure.value.class_, failure.value.retryable) == ("OutputBusy", True)
    assert 30 <= now[0] < 31


def test_the_status_names_the_format_of_each_table(tmp_path: Path) -> None:
    shards = [shard(0).model_copy(update={"failures": 1, "failure_bytes": 3})]
    features, quarantine = Run(tmp_path).output.tables(shards)
    assert (features.format, quarantine.format) == ("delta", "parquet")


def test_an_entry_that_a_group_has_written_carries_its_shards(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.publisher.resume()
    run.publisher.finalize(DONE, SHARDS, no_rewrite)
    entry = Entry((tmp_path / delta_entries.entry_path(1)).read_bytes())
    assert (entry.transaction("mine"), entry.shards()) == (0, [DONE[index] for index in range(8)])
