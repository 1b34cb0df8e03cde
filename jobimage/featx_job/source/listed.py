"""Objects of a source that are read from a list instead of being listed by the store, and the columns of such lists.

A billion objects take a store a million answers. A list of them is some files, which are read by batches of columns:
tuples of Python take several times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow
from pyarrow import compute

from featx_job.source.list_files import UnreadableList
from featx_job.source.objects import ObjectSource, SourceObject

UNKNOWN_SIZE = 1  # as of an object that is named in `spec.source.keys` and was not found
COLUMNS = ("key", "size", "version")  # of a batch: string, int64, string, without nulls
Batches = Callable[[], Iterator[pyarrow.RecordBatch]]


class ListedSource:
    """`ObjectSource` whose objects are those of a list. Any other question is the store's to answer.

    Attributes:
        is_sorted: Objects are yielded in the order of the list, which need not be that of their keys.
    """

    is_sorted = False

    def __init__(self, store: ObjectSource, field: str, address: str, batches: Batches) -> None:
        """Use a list.

        Args:
            store: Where the objects are.
            field: Path of the list in the spec.
            address: The list's, as users know it.
            batches: Reads the list from its start: batches of `COLUMNS`. Raises RunFailure.
        """
        self._store, self.field, self.address, self.batches = store, field, address, batches

    @property
    def base(self) -> str:
        """Implements `ObjectSource`."""
        return self._store.base

    @property
    def root(self) -> str:
        """Implements `ObjectSource`."""
        return self._store.root

    def objects(self, *, in_hidden_folders: bool = False) -> Iterator[SourceObject]:
        """Implements `ObjectSource`, but for the order."""
        for batch in self.batches():
            yield from map(SourceObject, *(column.to_pylist() for column in batch.columns))

    def find(self, key: str) -> SourceObject | None:
        """Implements `ObjectSource`."""
        return self._store.find(key)


def batch_of(keys: pyarrow.Array, rows: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
    """Return a batch of `COLUMNS`.

    Args:
        keys: The key of each row.
        rows: As `list_files.rows` yields them.

    Raises:
        UnreadableList: A column has another type, or holds no text.
    """
    return pyarrow.RecordBatch.from_arrays([keys, sizes(rows), _versions(rows)], list(COLUMNS))


def text(rows: pyarrow.RecordBatch, name: str) -> pyarrow.Array:
    """Return a column as UTF-8, of which no reader of Parquet makes sure.

    Raises:
        UnreadableList: It is something else.
    """
    try:
        return as_bytes(rows, name).cast(pyarrow.string())
    except pyarrow.ArrowInvalid:
        raise UnreadableList(f"has a column {name} that is not UTF-8") from None


def as_bytes(rows: pyarrow.RecordBatch, name: str) -> pyarrow.Array:
    """Return a column of text as the bytes that it has.

    Raises:
        UnreadableList: It holds something else than text.
    """
    column = rows.column(name)
    kind = column.type.value_type if pyarrow.types.is_dictionary(column.type) else column.type
    if pyarrow.types.is_null(kind) or kind in _TEXT:
        return column.cast(kind).cast(pyarrow.binary())
    raise UnreadableList(f"has a column {name} that is no text")


_TEXT = (pyarrow.string(), pyarrow.binary(), pyarrow.large_string(), pyarrow.large_binary(), pyarrow.string_view())


def sizes(rows: pyarrow.RecordBatch) -> pyarrow.Array:
    """Return the size of each row, without nulls.

    Raises:
        UnreadableList: There is one that no object can have.
    """
    if "size" not in rows.schema.names:
        return pyarrow.nulls(len(rows), pyarrow.int64()).fill_null(UNKNOWN_SIZE)
    column = rows.column("size")
    if not (pyarrow.types.is_integer(column.type) or pyarrow.types.is_null(column.type)):
        raise UnreadableList("has a column size that holds no integers")
    try:
        known = column.cast(pyarrow.int64()).fill_null(UNKNOWN_SIZE)
    except pyarrow.ArrowInvalid:
        raise UnreadableList("has a size that no object can have") from None
    if len(known) and compute.min(known).as_py() < 0:
        raise UnreadableList("has a size below zero")
    return known


def _versions(rows: pyarrow.RecordBatch) -> pyarrow.Array:
    """Return ETags as stores list them, or what else the list calls a version."""
    known = [text(rows, name) for name in ("etag", "version") if name in rows.schema.names]
    if not known:
        return pyarrow.nulls(len(rows), pyarrow.string()).fill_null("")
    return compute.utf8_trim(compute.coalesce(*known).fill_null(""), '"')
