"""Each group of shards is committed once, whoever else writes to the table, and conflicts end in a merge."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from featx_api.executor_contract import (
    KeyRange,
    ReplacementResult,
    ReplacementTask,
    RewrittenFile,
    ShardResult,
)
from featx_api.failures import FailureClass
from featx_api.group_contract import GroupResult, GroupTask
from featx_job.failures import RunFailure
from featx_job.local_files import on_this_machine
from featx_job.table import delta_entries, file_record
from featx_job.table.delta_entries import Committer, Entry, Snapshot
from featx_job.table.delta_log import DeltaLog
from featx_job.table.delta_publisher import BASE, DeltaPublisher
from featx_job.table.file_record import FileRecord
from featx_job.table.output import RunOutput
from featx_job.table.publisher import Executors
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


def join(tasks: list[GroupTask]) -> list[GroupResult]:
    """Report what an executor would, of shards with one row each."""
    return [
        GroupResult(
            number=task.number,
            file=task.file,
            rows=len(task.rows),
            bytes=10 * len(task.rows),
            sha256="ab",
            keys=KeyRange(first=key_of(task.rows[0]), last=key_of(task.rows[-1])),
            quarantine_file="",
            quarantined=0,
            quarantine_bytes=0,
            quarantine_sha256="",
            seconds=0.1,
        )
        for task in tasks
    ]


def key_of(file: str) -> str:
    return file.rpartition("-")[2].removesuffix(".parquet").zfill(2)


EXECUTORS = Executors(join, no_rewrite)


def publish(run: Run, shards: Iterable[ShardResult], executors: Executors = EXECUTORS) -> list[FileRecord]:
    """Publish finished shards to the end; return the run's files."""
    for done in shards:
        run.publisher.publish(done)
        run.publisher.advance(executors)
    run.publisher.finish_groups(executors)
    run.publisher.finalize(executors)
    return list(run.publisher.records())


def foreign(index: int, row: str | None = None) -> FileRecord:
    return file_record.of_shard(shard(index, "foreign", row))


def test_groups_are_committed_in_order_as_soon_as_they_are_complete(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.publisher.resume() == ([], [])
    for index in (3, 0, 1, 2, 7, 6, 5, 9):
        run.publisher.publish(DONE[index])
        run.publisher.advance(EXECUTORS)
    assert committed_files(tmp_path) == [], "shard 4 is missing"
    run.publisher.publish(DONE[4])
    run.publisher.advance(EXECUTORS)
    eventually(lambda: len(committed_files(tmp_path)) == 1)
    (file,) = Run(tmp_path).publisher.resume().files
    assert (file.first, file.shards, file.features) == (0, 8, 8)


def eventually(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("not within 10 seconds")


def test_a_commit_leaves_no_thread_behind(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.publisher.resume()
    files = publish(run, DONE.values())
    for thread in threading.enumerate():
        if thread.name.startswith("delta-commit"):
            thread.join(10)
            assert not thread.is_alive()
    assert committed_files(tmp_path) == sorted(file.file for file in files)
    assert [(file.first, file.shards) for file in files] == [(0, 8), (8, 12)]


def test_the_group_of_a_driver_that_was_believed_dead_is_adopted_with_its_files(tmp_path: Path) -> None:
    first, second = Run(tmp_path), Run(tmp_path)
    first.publisher.resume()
    second.publisher.resume()
    theirs = publish(first, (shard(index, "theirs") for index in range(SHARDS)))
    assert publish(second, DONE.values()) == theirs
    assert committed_files(tmp_path) == sorted(file.file for file in theirs)


def test_a_driver_whose_files_another_has_committed_and_removed_goes_on_after_them(tmp_path: Path) -> None:
    first, second = Run(tmp_path), Run(tmp_path)
    first.publisher.resume()
    second.publisher.resume()
    theirs = publish(first, (shard(index, "theirs") for index in range(8)))

    def join_what_is_there(tasks: list[GroupTask]) -> list[GroupResult]:
        if any(key_of(file) == "00" for task in tasks for file in task.rows):
            raise RunFailure(FailureClass.STORE_ERROR, "the file does not exist")
        return join(tasks)

    files = publish(second, DONE.values(), Executors(join_what_is_there, no_rewrite))
    assert files[: len(theirs)] == theirs
    assert [(file.first, file.shards) for file in files] == [(0, 8), (8, 12)]


def test_files_that_an_executor_cannot_join_end_the_attempt(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.publisher.resume()

    def fail(tasks: list[GroupTask]) -> list[GroupResult]:
        raise RunFailure(FailureClass.STORE_ERROR, "the store does not respond")

    with pytest.raises(RunFailure, match="does not respond"):
        publish(run, DONE.values(), Executors(fail, no_rewrite))
    assert committed_files(tmp_path) == []


def test_an_entry_of_another_writer_is_passed_over(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.publisher.resume()
    foreign_entry(tmp_path, 1, delta_entries.append(OTHER, 0, NIGHT, [foreign(99)]))
    files = publish(run, DONE.values())
    assert run.log.version == 1 + len(files)
    assert len(committed_files(tmp_path)) == len(files) + 1


def test_a_table_whose_columns_change_during_the_run_is_refused(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.publisher.resume()
    foreign_entry(tmp_path, 1, delta_entries.creation(OTHER, NIGHT))
    with pytest.raises(RunFailure, match="changed during the run") as refused:
        publish(run, DONE.values())
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
    foreign_entry(tmp_path, 1, delta_entries.append(OTHER, 0, NIGHT, [foreign(99, "03")]))
    tasks: list[ReplacementTask] = []

    def rewrite(files: list[ReplacementTask]) -> list[ReplacementResult]:
        tasks.extend(files)
        return [rewritten(task, rows=0, keys=KeyRange(first=None, last=None)) for task in files]

    files = publish(run, DONE.values(), Executors(join, rewrite))
    assert sum(file.features for file in files) == SHARDS
    assert run.publisher.updates_table
    assert [task.path for task in tasks] == ["foreign-99.parquet"]
    assert committed_files(tmp_path) == sorted(file.file for file in files)


def test_a_merge_gives_up_after_some_conflicts_and_leaves_no_rewritten_file(tmp_path: Path) -> None:
    run = Run(tmp_path, NETS)
    foreign_entry(tmp_path, 0, delta_entries.creation(OTHER, NIGHT))
    run.publisher.resume()
    assert run.publisher.updates_table
    rounds: list[str] = []

    def overtaken(tasks: list[ReplacementTask]) -> list[ReplacementResult]:
        version = run.log.version + 1
        foreign_entry(tmp_path, version, delta_entries.append(OTHER, version, NIGHT, [foreign(version, "03")]))
        for task in tasks:
            (tmp_path / task.file).write_bytes(b"rows")
            rounds.append(task.file)
        return [rewritten(task, rows=1, keys=KeyRange(first="x", last="x")) for task in tasks]

    foreign_entry(tmp_path, 1, delta_entries.append(OTHER, 1, NIGHT, [foreign(1, "03")]))
    with pytest.raises(RunFailure, match="10 commit conflicts") as failure:
        publish(run, DONE.values(), Executors(join, overtaken))
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
        publish(run, DONE.values())
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
    run = Run(tmp_path)
    run.log.files = [file_record.of_shard(shard(0).model_copy(update={"failures": 1, "failure_bytes": 3}))]
    features, quarantine = run.output.tables()
    assert (features.format, quarantine.format) == ("delta", "parquet")


def test_an_entry_that_a_group_has_written_tells_its_shards(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.publisher.resume()
    publish(run, (DONE[index] for index in range(8)))
    entry = Entry((tmp_path / delta_entries.entry_path(1)).read_bytes())
    assert (entry.transaction("mine"), [(file.first, file.end) for file in entry.files()]) == (0, [(0, 8)])


def test_files_of_shards_and_their_markers_go_once_a_file_of_the_table_has_their_rows(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.publisher.resume()
    folder = tmp_path / "_featx" / "mine"
    for done in DONE.values():
        for name in (f"features/{done.file}", f"done/{done.index:05}.json"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(done.to_json())
    assert [shard.index for shard in Run(tmp_path).publisher.resume().shards] == list(range(SHARDS))
    publish(run, (DONE[index] for index in range(8)))
    assert len(list((folder / "features").iterdir())) == len(list((folder / "done").iterdir())) == SHARDS - 8
    assert [shard.index for shard in Run(tmp_path).publisher.resume().shards] == list(range(8, SHARDS))


def test_a_finished_run_removes_its_files_that_are_not_in_the_log_and_no_others(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.publisher.resume()
    files = publish(run, DONE.values())
    lost, foreign_file = run.output.files.new_table_file(), Run(tmp_path, uid="other").output.files.new_table_file()
    for name in (*(file.file for file in files), lost, foreign_file, "part-00000.parquet"):
        (tmp_path / name).write_bytes(b"rows")
    run.publisher.clean_up()
    kept = {path.name for path in tmp_path.glob("*.parquet")}
    assert kept == {*(file.file for file in files), foreign_file, "part-00000.parquet"}
