"""Entries of a Delta table's log: what they record, and which files may hold replaced rows."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from featx_api.executor_contract import KeyRange, ReplacementResult, RewrittenFile, ShardResult
from featx_api.table_contract import DAMAGED_COLUMN, FEATURE_COLUMNS, Column
from featx_job.table import delta_entries, file_record
from featx_job.table.delta_entries import Committer, Entry, Snapshot
from featx_job.table.file_record import FileRecord
from hypothesis import given
from hypothesis import strategies as st

NIGHT = datetime(2026, 11, 26, 3, tzinfo=UTC)
BY = Committer("uid", "catalog", "featx/1")
keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


def shard(index: int, names: list[str]) -> ShardResult:
    return ShardResult(
        index=index,
        file=f"part-{index}.parquet",
        features=len(names),
        failures=1,
        skipped=0,
        bytes=10,
        failure_bytes=3,
        precision="f32",
        sha256="ab",
        failure_sha256="cd",
        keys=KeyRange(first=min(names, default=None), last=max(names, default=None)),
    )


def record(index: int, names: list[str]) -> FileRecord:
    return file_record.of_shard(shard(index, names))


def table(**changes: Any) -> Snapshot:
    """Return a version of a table, as Delta Kernel reports it."""
    schema = next(action["metaData"] for action in actions(delta_entries.creation(BY, NIGHT)) if "metaData" in action)
    created = Snapshot(0, 2, [], schema["schemaString"], {}, [], [])
    return dataclasses.replace(created, **changes)


def actions(entry: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in entry.splitlines()]


@given(st.lists(keys, max_size=4))
def test_a_shard_survives_being_written_as_a_marker(names: list[str]) -> None:
    done = shard(3, names)
    assert ShardResult.from_json(done.to_json()) == done


def test_an_entry_records_its_transaction_and_its_files() -> None:
    files = [record(0, ["a"]), record(1, [])]
    entry = Entry(delta_entries.append(BY, 4, NIGHT, files))
    assert entry.transaction("uid") == 4
    assert entry.transaction("another") is None
    assert entry.files() == files
    assert not entry.changes_schema


def test_an_entry_of_an_earlier_version_had_a_shard_in_each_file() -> None:
    shards = [shard(1, []), shard(0, ["a"])]
    adds = [
        {"add": {"path": done.file, "dataChange": True, "tags": {"featx.shard": done.to_json()}}} for done in shards
    ]
    entry = Entry("\n".join(map(json.dumps, adds)).encode())
    assert entry.files() == [record(0, ["a"]), record(1, [])]


def test_a_rewritten_file_without_rows_is_only_removed() -> None:
    none, some = KeyRange(first=None, last=None), KeyRange(first="a", last="b")
    empty = RewrittenFile(file="new-1", rows=0, bytes=5, sha256="ab", keys=none)
    file = RewrittenFile(file="new-2", rows=7, bytes=5, sha256="ab", keys=some)
    gone = ReplacementResult(path="old-1", removed=2, rewritten=empty)
    left = ReplacementResult(path="old-2", removed=2, rewritten=file)
    entry = delta_entries.merge(BY, 0, NIGHT, [record(0, ["c"])], [gone, left])
    assert [action["remove"]["path"] for action in actions(entry) if "remove" in action] == ["old-1", "old-2"]
    assert [action["add"]["path"] for action in actions(entry) if "add" in action] == ["part-0.parquet", "new-2"]
    assert Entry(entry).rewritten_files() == [delta_entries.manifest_entry("old-2", file)]


def test_versions_are_distinguished_from_checkpoints_and_other_files() -> None:
    names = [
        delta_entries.entry_path(10),
        delta_entries.entry_path(9),
        "_delta_log/_last_checkpoint",
        f"_delta_log/{0:020}.checkpoint.parquet",
    ]
    assert delta_entries.versions([*names, "_delta_log/.tmp.json", "_delta_log/_commits/x.json"]) == [9, 10]


@given(st.lists(st.lists(keys, min_size=1), max_size=5), st.lists(st.lists(keys), max_size=5))
def test_every_file_that_shares_a_key_overlaps(old: list[list[str]], new: list[list[str]]) -> None:
    files = []
    for number, names in enumerate(old):
        stats = {"minValues": {"key": min(names)}, "maxValues": {"key": max(names)}}
        files.append({"path": str(number), "uri": f"file:/{number}", "stats": json.dumps(stats) if number else None})
    overlapping = {
        path: newer
        for path, _, newer in delta_entries.overlapping_files(files, [record(i, names) for i, names in enumerate(new)])
    }
    for number, names in enumerate(old):
        for index, newer in enumerate(new):
            if set(names) & set(newer):
                assert f"part-{index}.parquet" in overlapping[str(number)]


def test_a_table_that_featx_created_can_be_updated() -> None:
    assert delta_entries.why_not_updatable(table()) is None
    assert delta_entries.why_not_updatable(table(writer=7, features=["appendOnly", "invariants"])) is None


def test_a_table_has_the_column_of_damaged_images_from_its_first_run_on() -> None:
    columns = (*FEATURE_COLUMNS, DAMAGED_COLUMN)
    (metadata,) = (
        action["metaData"] for action in actions(delta_entries.creation(BY, NIGHT, columns)) if "metaData" in action
    )
    with_column = table(schema=metadata["schemaString"])
    assert delta_entries.why_not_updatable(with_column, columns) is None
    assert "spec.decoding.damaged" in (delta_entries.why_not_updatable(with_column) or "")
    assert "spec.decoding.damaged" in (delta_entries.why_not_updatable(table(), columns) or "")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"writer": 7, "features": ["deletionVectors", "invariants"]}, "deletionVectors"),
        ({"writer": 4}, "version 4"),
        ({"configuration": {"delta.appendOnly": "true"}}, "append-only"),
        ({"partitions": ["day"]}, "day"),
        ({"schema": json.dumps({"fields": [{"name": "key", "type": "string"}]})}, "x0, y0"),
    ],
)
def test_a_table_with_unsupported_features_can_not(changes: dict[str, Any], reason: str) -> None:
    assert reason in (delta_entries.why_not_updatable(table(**changes)) or "")


def test_carried_columns_are_nullable_text_and_a_table_without_them_is_not_updated() -> None:
    columns = (*FEATURE_COLUMNS, Column(name="label", type="string", nullable=True))
    created = actions(delta_entries.creation(BY, NIGHT, columns))
    metadata = next(action["metaData"] for action in created if "metaData" in action)
    assert json.loads(metadata["schemaString"])["fields"][-1] == {
        "name": "label",
        "type": "string",
        "nullable": True,
        "metadata": {},
    }
    assert "label" in (delta_entries.why_not_updatable(table(), columns) or "")
    assert delta_entries.why_not_updatable(table(schema=metadata["schemaString"]), columns) is None
    assert delta_entries.why_not_updatable(table(schema=metadata["schemaString"])) is not None
