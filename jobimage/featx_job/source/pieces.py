"""The list of a large source as files: pieces of so many objects each, written while the source is listed.

The driver keeps a number per piece. It reads a piece again to hand out its objects, and executors read for themselves
the rows of a piece that they are told. A finished list has an index; without it, a later attempt continues the list
after its last key.
"""

from __future__ import annotations

import io
import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from featx_job import stored_json
from featx_job.source.objects import SkippedCounts, SourceObject

if TYPE_CHECKING:
    import pyarrow as pa  # small sources do not wait half a second for it

PIECE_OBJECTS = 65_536
ROW_GROUP = 8_192  # executors read whole ones
INDEX, INDEX_VERSION = "index.json", 1
SCHEMA_COLUMNS = SourceObject._fields
_SKIPPED = b"featx.skipped"


class PieceStore(Protocol):
    """Where the pieces of a list are."""

    def load(self, name: str) -> bytes | None:
        """Return a file's content, or None if there is no such file."""

    def save(self, name: str, data: bytes) -> None:
        """Write a file."""

    def uri(self, name: str) -> str:
        """Return a file's address for executors."""


class Span(NamedTuple):
    """Consecutive objects of a piece.

    Attributes:
        uri: The piece's address.
        first: The first row.
        rows: Their number.
    """

    uri: str
    first: int
    rows: int


class Pieces:
    """The objects of a source that were listed so far. One thread may append while another reads.

    Attributes:
        base: Prefix that turns a key into the address that executors read.
        bytes: Size of all objects.
        skipped: Number of files that were left out, by cause.
        complete: Whether the whole source is listed.
    """

    def __init__(self, store: PieceStore, base: str) -> None:
        """Begin a list without objects."""
        self._store, self.base = store, base
        self._ends: list[int] = []  # number of objects up to the end of each piece
        self.bytes = 0
        self.skipped: SkippedCounts = {}
        self.complete = False
        self._decode = lru_cache(1)(self._columns)

    def __len__(self) -> int:
        """Return the number of objects."""
        return self._ends[-1] if self._ends else 0

    def append(self, objects: pa.Table, skipped: Mapping[str, int]) -> None:
        """Write the next piece.

        Args:
            objects: Its objects: columns key, size and version (`piece_tables`).
            skipped: What was left out of the source so far.
        """
        import pyarrow.parquet as pq

        file = io.BytesIO()
        table = objects.replace_schema_metadata({_SKIPPED: json.dumps(dict(skipped)).encode()})
        pq.write_table(table, file, row_group_size=ROW_GROUP, compression="zstd", use_dictionary=False)
        self._store.save(_name(len(self._ends)), file.getvalue())
        self.skipped = dict(skipped)
        self.bytes += int(objects["size"].to_numpy().sum())
        self._ends.append(len(self) + len(objects))

    def seal(self, skipped: Mapping[str, int]) -> None:
        """Write the index: the source is listed."""
        content = {"base": self.base, "ends": self._ends, "bytes": self.bytes, "skipped": dict(skipped)}
        self._store.save(INDEX, stored_json.to_bytes(content, INDEX_VERSION))
        self.skipped, self.complete = dict(skipped), True

    def last_key(self) -> str:
        """Return the last key, or an empty string if there is none."""
        return self[len(self) - 1].key if self._ends else ""

    def __getitem__(self, index: int) -> SourceObject:
        """Return an object."""
        return self.objects(index, 1)[0]

    def objects(self, first: int, count: int) -> list[SourceObject]:
        """Return consecutive objects."""
        parts = self._parts(first, count)
        return [file for piece, start, length in parts for file in self._slice(piece, start, start + length)]

    def sizes(self, first: int, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the sizes of consecutive objects, in bytes: int64[count]."""
        parts = self._parts(first, count)
        sizes = [self._read(piece, "size")["size"].slice(start, length).to_numpy() for piece, start, length in parts]
        return np.concatenate([np.empty(0, np.int64), *sizes])

    def spans(self, first: int, count: int) -> list[Span]:
        """Return where executors find consecutive objects."""
        return [Span(self._store.uri(_name(piece)), start, rows) for piece, start, rows in self._parts(first, count)]

    def files(self) -> Iterator[SourceObject]:
        """Yield all objects."""
        for first in range(0, len(self), PIECE_OBJECTS):
            yield from self.objects(first, min(PIECE_OBJECTS, len(self) - first))

    def _parts(self, first: int, count: int) -> Iterator[tuple[int, int, int]]:
        """Yield piece, first row and number of rows."""
        while count > 0:
            piece = bisect_right(self._ends, first)
            start = self._ends[piece - 1] if piece else 0
            length = min(count, self._ends[piece] - first)
            yield piece, first - start, length
            first, count = first + length, count - length

    def _slice(self, piece: int, start: int, end: int) -> Iterator[SourceObject]:
        return map(SourceObject, *(column[start:end] for column in self._decode(piece)))

    def _columns(self, piece: int) -> list[list[Any]]:
        return [column.to_pylist() for column in self._read(piece, *SCHEMA_COLUMNS).columns]

    def _read(self, piece: int, *columns: str) -> pa.Table:
        import pyarrow.parquet as pq

        data = self._store.load(_name(piece))
        if data is None:
            raise FileNotFoundError(self._store.uri(_name(piece)))
        return pq.read_table(io.BytesIO(data), columns=list(columns))

    def _add_stored(self, data: bytes) -> None:
        import pyarrow.parquet as pq

        file = pq.ParquetFile(io.BytesIO(data))
        self.skipped = json.loads(file.metadata.metadata[_SKIPPED])
        self.bytes += sum(file.read(columns=["size"])["size"].to_pylist())
        self._ends.append(len(self) + file.metadata.num_rows)


def load(store: PieceStore) -> Pieces | None:
    """Return a list that an earlier attempt or run has finished, or None.

    Raises:
        RunFailure: OutputExists, if a newer version has stored it.
    """
    data = store.load(INDEX)
    if data is None:
        return None
    content: dict[str, Any] = stored_json.from_bytes(data, INDEX_VERSION, "the source's list")
    pieces = Pieces(store, content["base"])
    pieces._ends, pieces.bytes = content["ends"], content["bytes"]
    pieces.skipped, pieces.complete = content["skipped"], True
    return pieces


def resumed(store: PieceStore, base: str) -> Pieces | None:
    """Return a list that an earlier attempt has begun and not finished, or None; it is to be continued."""
    pieces = Pieces(store, base)
    while (data := store.load(_name(len(pieces._ends)))) is not None:
        pieces._add_stored(data)
    return pieces if len(pieces) else None


def _name(piece: int) -> str:
    return f"piece-{piece:06}.parquet"
