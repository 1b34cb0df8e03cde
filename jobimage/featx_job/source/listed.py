"""The columns of lists of objects: key, size and version, whatever format a list has.

Lists are read by batches: as tuples of Python their rows would take a minute per hundred million.
"""

from __future__ import annotations

import pyarrow
from pyarrow import compute

from featx_job.source.list_files import UnreadableList

UNKNOWN_SIZE = 1  # as of an object that is named in `spec.source.keys` and was not found
COLUMNS = ("key", "size", "version")  # of a batch: string, int64, string, without nulls


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
