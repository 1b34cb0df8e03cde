"""Images stored in cells of an HBase table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from featx_api.executor_contract import END_OF_TIME, HBaseSnapshot, HBaseTable
from featx_api.source import HBaseSource

from featx_job.clients.hadoop import Hadoop
from featx_job.source import globs, key_ranges
from featx_job.source.key_ranges import Range, Region
from featx_job.source.keys import to_bytes
from featx_job.source.shards import RangeShards

FIELD = "spec.source.hbase"
SAMPLE_ROWS = 20  # per region, to learn how large rows are and which digits their keys use


def table_settings(
    source: HBaseSource, output: str, include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> HBaseTable:
    """Return the table's settings for executors.

    Args:
        source: The source in the spec.
        output: The run's output URI. It is unique to the run, so links to a snapshot are named after it.
        include: Globs of the keys of images; empty for all.
        exclude: Globs of the keys that are left out anyway.
    """
    family, qualifier = source.column.split(":", 1)
    snapshot = None
    if source.snapshot:
        folder = f"{source.snapshot.folder}/featx-{hashlib.sha256(output.encode()).hexdigest()[:16]}"
        snapshot = HBaseSnapshot(name=source.snapshot.name, root_dir=source.snapshot.root_dir, restore_dir=folder)
    return HBaseTable(
        quorum=source.quorum or "",
        znode=source.znode,
        table=source.table,
        family=family,
        qualifier=qualifier,
        since=_milliseconds(source.since) if source.since else 0,
        until=_milliseconds(source.until) if source.until else END_OF_TIME,
        snapshot=snapshot,
        include=globs.matcher(include or ["**"]).pattern,
        exclude=globs.matcher(exclude).pattern,
    )


class HBaseTableSource:
    """The rows of a table: a shard is a region, or part of a large one."""

    def __init__(self, hadoop: Hadoop, source: HBaseSource, output: str) -> None:
        """Use a table.

        Args:
            hadoop: Connection to HBase.
            source: The source in the spec.
            output: The run's output URI.
        """
        self._hadoop, self._source = hadoop, source
        self._settings = table_settings(source, output).to_json()

    @property
    def base(self) -> str:
        """Identifies the table and its column."""
        where = self._source.quorum or (self._source.snapshot and self._source.snapshot.root_dir)
        return f"hbase://{where}/{self._source.table}/{self._source.column}"

    def shards(self, images: int, keys: Sequence[str] = (), planned: int = 0, since: int = 0) -> RangeShards:
        """Return all shards.

        Args:
            images: Target number of images per shard.
            keys: Of the images to select; empty selects all.
            planned: Current time in milliseconds.
            since: Cells older than this are skipped, in milliseconds.

        Raises:
            RunFailure: HBase can't be queried.
        """
        java = self._hadoop.table(self._settings)
        regions = json.loads(self._hadoop.with_retry(FIELD, java.regions))
        if keys:
            rows = sorted({to_bytes(key) for key in keys})
            groups = tuple(batched((Range(row, row + b"\0") for row in rows), images))
            return RangeShards(groups, self.base, planned)
        wanted = key_ranges.clip(
            [Region(Range(bytes.fromhex(r["start"]), bytes.fromhex(r["stop"])), r["bytes"]) for r in regions],
            row_ranges(self._source),
        )
        ranges = [part for region in wanted for part in self._split(java, region, images)]
        return RangeShards(tuple((part,) for part in ranges), self.base, planned, since)

    def clean_up(self) -> None:
        """Remove the links that reading a snapshot left in its file system."""
        self._hadoop.with_retry(FIELD, self._hadoop.table(self._settings).cleanUp)

    def _split(self, java: Any, region: Region, images: int) -> list[Range]:
        bounds = (region.range.start.hex(), region.range.stop.hex())
        sample = json.loads(self._hadoop.with_retry(FIELD, lambda: java.sample(*bounds, SAMPLE_ROWS)))
        sizes = sample["bytes"]
        if len(sizes) < SAMPLE_ROWS:
            return [region.range] if sizes else []
        parts = -(-region.size * len(sizes) // (max(1, sum(sizes)) * images))
        return key_ranges.split(region.range, [bytes.fromhex(row) for row in sample["rows"]], parts)


def row_ranges(source: HBaseSource) -> list[Range]:
    """Return the row ranges that a source selects."""
    prefix = key_ranges.with_prefix(to_bytes(source.prefix))
    selected = prefix.intersection(Range(to_bytes(source.start_row), to_bytes(source.stop_row)))
    return key_ranges.salted(selected, [to_bytes(salt) for salt in source.salts]) if selected else []


def batched(ranges: Iterable[Range], count: int) -> Iterator[tuple[Range, ...]]:
    """Yield ranges in groups of `count`; the last one may be smaller."""
    remaining = iter(ranges)
    while group := tuple(islice(remaining, count)):
        yield group


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)
