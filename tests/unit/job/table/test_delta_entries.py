"""What a Delta table's log says of a run, and which of its files newer rows concern."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from featx_api.executor_contract import KeyRange, ReplacementResult, RewrittenFile, ShardResult
from featx_job.table import delta_log
from featx_job.table.delta_log import Committer, Entry
from featx_job.table.storage.local import LocalStorage
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
        bytes=10,
        failure_bytes=3,
        precision="f32",
        sha256="ab",
        failure_sha256="cd",
        keys=KeyRange(first=min(names, default=None), last=max(names, default=None)),
    )


def table(**changes: Any) -> dict[str, Any]:
    """Returns a newest version as Delta Kernel tells it."""
    schema = next(action["metaData"] for action in actions(delta_log.created(BY, NIGHT)) if "metaData" in action)
    told = {"schema": schema["schemaString"], "writer": 2, "features": [], "configuration": {}, "partitions": []}
    return told | changes


def actions(entry: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in entry.splitlines()]


@given(st.integers(0, 50_000))
def test_each_shard_is_in_one_group_and_groups_are_not_many(shards: int) -> None:
    groups = [delta_log.group(number, shards) for number in range(delta_log.MOST_GROUPS + 1)]
    assert [index for group in groups for index in group] == list(range(shards))
    assert not groups[-1]


@given(st.lists(keys, max_size=4))
def test_a_shard_that_is_told_in_a_mark_is_the_same_when_it_is_read(names: list[str]) -> None:
    done = shard(3, names)
    assert ShardResult.from_json(done.to_json()) == done


def test_an_entry_tells_its_transaction_and_its_shards() -> None:
    shards = [shard(0, ["a"]), shard(1, [])]
    entry = Entry(delta_log.appended(BY, 4, NIGHT, shards))
    assert entry.transaction("uid") == 4
    assert entry.transaction("another") is None
    assert entry.shards() == shards
    assert not entry.changes_rules


def test_a_file_of_which_nothing_is_left_is_only_removed() -> None:
    none, some = KeyRange(first=None, last=None), KeyRange(first="a", last="b")
    empty = RewrittenFile(file="new-1", rows=0, bytes=5, sha256="ab", keys=none)
    file = RewrittenFile(file="new-2", rows=7, bytes=5, sha256="ab", keys=some)
    gone = ReplacementResult(path="old-1", removed=2, rewritten=empty)
    left = ReplacementResult(path="old-2", removed=2, rewritten=file)
    entry = delta_log.updated(BY, 0, NIGHT, [shard(0, ["c"])], [gone, left])
    assert [action["remove"]["path"] for action in actions(entry) if "remove" in action] == ["old-1", "old-2"]
    assert [action["add"]["path"] for action in actions(entry) if "add" in action] == ["part-0.parquet", "new-2"]
    assert Entry(entry).rewritten() == [delta_log.described(left, file)]


def test_the_log_s_versions_are_told_from_checkpoints_and_others() -> None:
    names = [
        delta_log.entry(10),
        delta_log.entry(9),
        "_delta_log/_last_checkpoint",
        f"_delta_log/{0:020}.checkpoint.parquet",
    ]
    assert delta_log.versions([*names, "_delta_log/.tmp.json", "_delta_log/_commits/x.json"]) == [9, 10]


@given(st.lists(st.lists(keys, min_size=1), max_size=5), st.lists(st.lists(keys), max_size=5))
def test_no_file_that_shares_a_key_is_passed_over(old: list[list[str]], new: list[list[str]]) -> None:
    files = []
    for number, names in enumerate(old):
        stats = {"minValues": {"key": min(names)}, "maxValues": {"key": max(names)}}
        files.append({"path": str(number), "uri": f"file:/{number}", "stats": json.dumps(stats) if number else None})
    found = {
        path: newer for path, _, newer in delta_log.overlaps(files, [shard(i, each) for i, each in enumerate(new)])
    }
    for number, names in enumerate(old):
        for index, each in enumerate(new):
            if set(names) & set(each):
                assert f"part-{index}.parquet" in found[str(number)]


def test_a_table_that_featx_has_made_can_be_updated() -> None:
    assert delta_log.refusal(table()) is None
    assert delta_log.refusal(table(writer=7, features=["appendOnly", "invariants"])) is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"writer": 7, "features": ["deletionVectors", "invariants"]}, "deletionVectors"),
        ({"writer": 4}, "version 4"),
        ({"configuration": {"delta.appendOnly": "true"}}, "append-only"),
        ({"partitions": ["day"]}, "day"),
        ({"schema": json.dumps({"fields": [{"name": "key", "type": "string"}]})}, "x0, y0"),
    ],
)
def test_a_table_with_rules_that_featx_does_not_keep_can_not(changes: dict[str, Any], told: str) -> None:
    assert told in (delta_log.refusal(table(**changes)) or "")


def test_of_several_writers_of_a_file_one_succeeds(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path, "spec.output.uri")
    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda number: storage.create("log/0.json", b"%d" % number), range(8)))
    assert written.count(True) == 1
    assert storage.read("log/0.json") == b"%d" % written.index(True)
    assert [path.name for path in (tmp_path / "log").iterdir()] == ["0.json"]
