"""Images that are cells of an HBase table."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from featx_api.source import HBaseSource

from featx_job.clients.hadoop import Hadoop
from featx_job.source import key_ranges
from featx_job.source.key_ranges import Range, Region
from featx_job.source.shards import RangeShards

FIELD = "spec.source.hbase"
SAMPLED = 20  # rows of a region, for their size and for the digits that they are written in


def table(source: HBaseSource, output: str) -> dict[str, Any]:
    """Returns what executors are told of the table (dev.featx.source.HBaseTable).

    Args:
        source: The spec's words.
        output: The run's output, which no other run has: what it writes beside a snapshot is named after it.
    """
    told: dict[str, Any] = {name: getattr(source, name) for name in ("quorum", "znode", "table", "column")}
    times = {"since": source.since, "until": source.until}
    told |= {name: _milliseconds(time) for name, time in times.items() if time is not None}
    if source.snapshot:
        of_run = f"featx-{hashlib.sha256(output.encode()).hexdigest()[:16]}"
        told["snapshot"] = source.snapshot.to_wire() | {"restoreDir": f"{source.snapshot.folder}/{of_run}"}
    return told


class TableSource:
    """A table's rows: a shard is a region, or a part of one that is long."""

    def __init__(self, hadoop: Hadoop, source: HBaseSource, output: str) -> None:
        """Uses a table.

        Args:
            hadoop: Reaches it.
            source: The spec's words.
            output: The run's.
        """
        self._hadoop, self._source = hadoop, source
        self._table = json.dumps(table(source, output))

    @property
    def base(self) -> str:
        """What tells the table and its column from others."""
        where = self._source.quorum or (self._source.snapshot and self._source.snapshot.root_dir)
        return f"hbase://{where}/{self._source.table}/{self._source.column}"

    def shards(self, images: int, keys: Sequence[str] = (), planned: int = 0, since: int = 0) -> RangeShards:
        """Returns all shards.

        Args:
            images: How many a shard is to hold.
            keys: Of the images that are wanted; all where empty.
            planned: The time, in milliseconds.
            since: Cells that are older are not wanted, in milliseconds.

        Raises:
            RunFailure: HBase can't be asked.
        """
        java = self._hadoop.table(self._table)
        found = json.loads(self._hadoop.asking(FIELD, java.regions))
        if keys:
            rows = sorted({row_bytes(key) for key in keys})
            groups = tuple(batched((Range(row, row + b"\0") for row in rows), images))
            return RangeShards(groups, self.base, planned)
        regions = [
            Region(Range(bytes.fromhex(each["start"]), bytes.fromhex(each["stop"])), each["bytes"]) for each in found
        ]
        made: list[Range] = []
        for piece in key_ranges.pieces(regions, wanted(self._source)):
            made += self._cut(java, piece, images)
        return RangeShards(tuple((each,) for each in made), self.base, planned, since)

    def clean_up(self) -> None:
        """Removes what reading a snapshot has left in its file system."""
        self._hadoop.asking(FIELD, self._hadoop.table(self._table).forget)

    def _cut(self, java: Any, piece: Region, images: int) -> list[Range]:
        bounds = (piece.range.start.hex(), piece.range.stop.hex())
        found = json.loads(self._hadoop.asking(FIELD, lambda: java.sample(*bounds, SAMPLED)))
        sizes = found["bytes"]
        if len(sizes) < SAMPLED:
            return [piece.range] if sizes else []
        parts = -(-piece.size * len(sizes) // (max(1, sum(sizes)) * images))
        return key_ranges.cut(piece.range, [bytes.fromhex(row) for row in found["rows"]], parts)


def wanted(source: HBaseSource) -> list[Range]:
    """Returns the ranges of rows that a source asks for."""
    asked = key_ranges.with_prefix(row_bytes(source.prefix))
    limits = Range(row_bytes(source.start_row), row_bytes(source.stop_row))
    both = asked.within(limits)
    return key_ranges.salted(both, [row_bytes(salt) for salt in source.salts]) if both else []


def row_bytes(row: str) -> bytes:
    r"""Returns the bytes of a row as the HBase shell writes it, with \xNN for a byte (Bytes.toBytesBinary)."""
    parts = re.split(r"\\x([0-9A-Fa-f]{2})", row)
    return b"".join(bytes.fromhex(part) if index % 2 else part.encode() for index, part in enumerate(parts))


def batched(rows: Iterable[Range], count: int) -> Iterator[tuple[Range, ...]]:
    """Yields ranges in groups of so many; the last one may be smaller."""
    left = iter(rows)
    while group := tuple(islice(left, count)):
        yield group


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)
