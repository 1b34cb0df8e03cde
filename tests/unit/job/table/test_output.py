"""A table appears whole, is completed after a crash, and is never mixed with another run's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from featx_job.failures import RunFailure
from featx_job.local_files import on_this_machine
from featx_job.source.objects import SourceObject
from featx_job.source.shards import split_objects
from featx_job.table.output import RunOutput
from featx_job.table.parquet_publisher import ParquetPublisher
from featx_job.table.run_files import RunFiles
from featx_job.table.storage.local import LocalStorage

SHARDS = split_objects("file:///a/", [SourceObject("a.jpg", 1), SourceObject("b.jpg", 2)], 1)


def output(root: Path, uid: str = "mine") -> RunOutput:
    files = RunFiles(LocalStorage(on_this_machine(root, "spec.output.uri")), uid, f"file://{root}")
    return RunOutput(files, ParquetPublisher(files))


def resumed(root: Path) -> RunOutput:
    """Return the output of a driver that has seen what earlier ones have done."""
    mine = output(root)
    for shard in mine.publisher.resume().shards:
        mine.publisher.publish(shard)
    return mine


def write_shards(root: Path, uid: str = "mine") -> None:
    """Write the files of two shards as executors do; the second has a failure."""
    run = root / "_featx" / uid
    for folder in ("features", "quarantine", "done"):
        (run / folder).mkdir(parents=True, exist_ok=True)
    for index in (0, 1):
        (run / "features" / f"part-0000{index}.parquet").write_bytes(b"rows")
        marker = {
            "index": index,
            "file": f"part-0000{index}.parquet",
            "features": 1,
            "failures": index,
            "skipped": 0,
            "bytes": 4,
            "failureBytes": 3 * index,
            "precision": "f32",
            "sha256": "",
            "failureSha256": "",
            "keys": {"first": None, "last": None},
        }
        (run / "done" / f"0000{index}.json").write_text(json.dumps(marker))
    (run / "quarantine" / "part-00001.parquet").write_bytes(b"bad")


def visible(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*.parquet") if "_featx" not in path.parts)


def test_nothing_is_visible_before_the_table_is_complete(tmp_path: Path) -> None:
    mine = output(tmp_path)
    mine.files.shard_list(lambda: SHARDS)
    write_shards(tmp_path)
    assert visible(tmp_path) == []
    mine = resumed(tmp_path)
    mine.publish({"uid": "mine"})
    assert visible(tmp_path) == ["_quarantine/part-00001.parquet", "part-00000.parquet", "part-00001.parquet"]
    assert mine.finished() == {"uid": "mine"}


def test_the_first_attempts_shard_list_is_the_run_s(tmp_path: Path) -> None:
    assert output(tmp_path).files.shard_list(lambda: SHARDS) == SHARDS
    assert output(tmp_path).files.shard_list(lambda: split_objects("file:///other/", [], 1)) == SHARDS


def test_a_table_whose_driver_died_between_two_files_is_completed_by_the_next(tmp_path: Path) -> None:
    output(tmp_path).files.shard_list(lambda: SHARDS)
    write_shards(tmp_path)
    (tmp_path / "_featx" / "mine" / "features" / "part-00000.parquet").rename(tmp_path / "part-00000.parquet")
    again = resumed(tmp_path)
    assert again.finished() is None
    again.publish({"uid": "mine"})
    assert visible(tmp_path)[1:] == ["part-00000.parquet", "part-00001.parquet"]


def test_a_driver_believed_dead_that_publishes_again_changes_nothing(tmp_path: Path) -> None:
    output(tmp_path).files.shard_list(lambda: SHARDS)
    write_shards(tmp_path)
    first, zombie = resumed(tmp_path), resumed(tmp_path)
    first.publish({"uid": "mine"})
    before = visible(tmp_path)
    zombie.publish({"uid": "mine"})
    assert visible(tmp_path) == before


def test_another_runs_table_is_refused_by_its_owner_s_name(tmp_path: Path) -> None:
    (tmp_path / "_manifest.json").write_text(json.dumps({"uid": "other", "namespace": "team", "name": "older"}))
    with pytest.raises(RunFailure, match="team/older") as refusal:
        output(tmp_path).finished()
    assert refusal.value.class_ == "OutputExists"


def test_a_folder_with_foreign_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(RunFailure, match=r"spec\.output\.uri.*holiday\.jpg"):
        output(tmp_path).finished()


def test_status_entries_count_rows_and_bytes_and_name_the_format(tmp_path: Path) -> None:
    write_shards(tmp_path)
    features, quarantine = resumed(tmp_path).tables()
    assert (features.record_count, features.bytes) == (2, 8)
    assert (quarantine.record_count, quarantine.bytes) == (1, 3)
    assert (features.format, quarantine.format) == ("parquet", "parquet")


def test_a_finished_run_leaves_no_files_of_shards_behind(tmp_path: Path) -> None:
    output(tmp_path).files.shard_list(lambda: SHARDS)
    write_shards(tmp_path)
    (tmp_path / "_featx" / "mine" / "quarantine" / "part-00000.parquet").write_bytes(b"of an attempt that was lost")
    resumed(tmp_path).publish({"uid": "mine"})
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {path for path in left if "_featx" in path} == {
        "_featx/mine/manifest.json",
        "_featx/mine/shards.json.gz",
    }
    assert visible(tmp_path) == ["_quarantine/part-00001.parquet", "part-00000.parquet", "part-00001.parquet"]
