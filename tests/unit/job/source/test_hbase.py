"""The rows that a resource selects, in the notation of the HBase shell."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from featx_api.executor_contract import END_OF_TIME
from featx_api.source import HBaseSource
from featx_job.source import hbase, keys
from featx_job.source.key_ranges import Range
from featx_job.source.shards import RangeShards, from_bytes, to_bytes
from hypothesis import given
from hypothesis import strategies as st


def source(**given: Any) -> HBaseSource:
    return HBaseSource.model_validate({"quorum": "zk", "table": "images", "column": "p:jpg", **given})


@given(st.binary(max_size=12))
def test_any_row_can_be_written(row: bytes) -> None:
    written = "".join(f"\\x{byte:02X}" if byte < 32 or byte > 126 or byte == 92 else chr(byte) for byte in row)
    assert keys.to_bytes(written) == row


@pytest.mark.parametrize(
    ("selection", "ranges"),
    [
        ({}, [(b"", b"")]),
        ({"prefix": "a"}, [(b"a", b"b")]),
        ({"startRow": "a", "stopRow": "c"}, [(b"a", b"c")]),
        ({"prefix": "ab", "startRow": "a", "stopRow": "abc"}, [(b"ab", b"abc")]),
        ({"prefix": "a", "startRow": "b"}, []),
        ({"salts": ["0-", "1-"], "prefix": "a"}, [(b"0-a", b"0-b"), (b"1-a", b"1-b")]),
        ({"salts": ["\\x00", "\\xFF"]}, [(b"\x00", b"\x01"), (b"\xff", b"")]),
    ],
)
def test_selected_rows_are_ranges(selection: dict[str, Any], ranges: list[tuple[bytes, bytes]]) -> None:
    assert hbase.row_ranges(source(**selection)) == ranges


@pytest.mark.parametrize(
    "bad",
    [{"column": "jpg"}, {"quorum": "zk:2181/hbase"}, {"table": "a b"}, {"prefix": "\\x0"}, {"znode": "hbase"}],
)
def test_an_impossible_source_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        source(**bad)


def test_times_are_in_milliseconds_like_those_of_cells() -> None:
    settings = hbase.table_settings(source(since="2026-11-01T00:00:00.5Z"), "s3://out/table")
    assert settings.since == 1_793_491_200_500
    assert settings.until == END_OF_TIME


@given(st.lists(st.lists(st.tuples(st.binary(max_size=4), st.binary(max_size=4)), min_size=1, max_size=3), max_size=9))
def test_ranges_survive_being_stored(pairs: list[list[tuple[bytes, bytes]]]) -> None:
    shards = RangeShards(
        tuple(tuple(Range(*pair) for pair in group) for group in pairs), "hbase://zk/images/p:jpg", 7, 5
    )
    assert from_bytes(to_bytes(shards)) == shards


class Table:
    """A table of one region, and Hadoop's connection to it."""

    def table(self, _: str) -> Table:
        return self

    def with_retry(self, _: str, call: Callable[[], Any]) -> Any:
        return call()

    def regions(self) -> str:
        return json.dumps([{"start": "", "stop": "", "bytes": 10}])

    def sample(self, *_: object) -> str:
        return json.dumps({"bytes": [10], "rows": [b"row".hex()]})


def test_executors_skip_the_cells_that_earlier_runs_have_read() -> None:
    table: Any = Table()
    shards = hbase.HBaseTableSource(table, source(), "s3://out/table").shards(100, planned=7, since=5)
    assert (shards.planned, shards.since) == (7, 5)
    assert [json.loads(shards.line(index))["since"] for index in range(len(shards))] == [5]
