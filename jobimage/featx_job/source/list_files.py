"""Reads files that list objects, by batches: Parquet, ORC, CSV, JSON lines, and text with one key per line.

Such a file may have a hundred million rows, and whoever can write to a bucket can write one. So compressed data is
expanded in pieces, a batch has a bounded number of rows or bytes, and no text of the file gets into messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import pyarrow
from pyarrow import csv, dataset, json, parquet

Format = Literal["parquet", "orc", "csv", "txt", "jsonl"]

BATCH_ROWS = 1 << 16
BLOCK_BYTES = 1 << 22  # of text, and so the longest line
#: Names of these columns, as a file may spell them, in lower case and without underscores.
WANTED = ("key", "size", "etag", "version", "islatest", "isdeletemarker")
_TYPES = {name: pyarrow.int64() if name == "size" else pyarrow.string() for name in WANTED}
_NEVER = "\x01"  # in no key, so a line of text is one column


class UnreadableList(Exception):
    """A file is not what its name or its inventory says. The message completes "FILE …"."""


def rows(
    path: Path, format_: Format, *, compression: str | None = None, header: Sequence[str] | None = None
) -> Iterator[pyarrow.RecordBatch]:
    """Yield the rows of a file in their order, by batches with those of the columns `WANTED` that the file has.

    Args:
        path: The file, on this machine.
        format_: Its format.
        compression: gzip or zstd, around the whole of a text file.
        header: Names of the columns of a CSV file without a first line of names.

    Raises:
        UnreadableList: It cannot be read, or has no column of keys. Batches before the damage have been yielded.
    """
    try:
        if format_ in ("parquet", "orc"):
            yield from _table(path, format_)
        else:
            yield from _text(path, format_, compression, header)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError):
        raise UnreadableList(f"is damaged, or is no {format_} file") from None


def _table(path: Path, format_: Format) -> Iterator[pyarrow.RecordBatch]:
    if format_ == "parquet":
        with parquet.ParquetFile(path, memory_map=True) as file:
            columns = _columns(file.schema_arrow.names)
            for batch in file.iter_batches(BATCH_ROWS, columns=list(columns.values())):
                yield _named(batch, columns)
        return
    stripes = dataset.dataset(path, format="orc")
    columns = _columns(stripes.schema.names)
    for batch in stripes.to_batches(columns=list(columns.values()), batch_size=BATCH_ROWS, batch_readahead=1):
        yield _named(batch, columns)


def _text(
    path: Path, format_: Format, compression: str | None, header: Sequence[str] | None
) -> Iterator[pyarrow.RecordBatch]:
    with pyarrow.input_stream(path, compression=compression) as stream:
        if not stream.read(1):
            return  # Arrow refuses an empty file, but it is a list of no objects
    with pyarrow.input_stream(path, compression=compression) as stream:
        if format_ == "jsonl":
            schema = pyarrow.schema(_TYPES)
            parsing = json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
            reader: Any = json.open_json(stream, json.ReadOptions(block_size=BLOCK_BYTES), parsing)
        else:
            names = ["key"] if format_ == "txt" else header
            quoted = format_ == "csv"
            reader = csv.open_csv(
                stream,
                csv.ReadOptions(block_size=BLOCK_BYTES, column_names=names),
                csv.ParseOptions(
                    delimiter="," if quoted else _NEVER, quote_char='"' if quoted else False, newlines_in_values=False
                ),
                _conversion(names or _first_line(path, compression)),
            )
        with closing(reader):
            columns = _columns(reader.schema.names)
            for batch in reader:
                yield _named(batch, columns)


def _first_line(path: Path, compression: str | None) -> list[str]:
    """Return the names in a CSV file's first line."""
    with pyarrow.input_stream(path, compression=compression) as stream:
        reader = csv.open_csv(stream, csv.ReadOptions(block_size=BLOCK_BYTES))
        with closing(reader):
            return list(reader.schema.names)


def _conversion(names: Sequence[str]) -> csv.ConvertOptions:
    columns = _columns(names)
    types = {own: _TYPES[name] for name, own in columns.items()}
    return csv.ConvertOptions(column_types=types, include_columns=list(columns.values()), null_values=[""])


def _columns(names: Sequence[str]) -> dict[str, str]:
    """Return how a file spells the columns that are wanted.

    Raises:
        UnreadableList: It has no column of keys, or two columns of one name.
    """
    found = [(plain, name) for name in names if (plain := plain_name(name)) in WANTED]
    columns = dict(found)
    if "key" not in columns:
        raise UnreadableList("has no column named key")
    if len(columns) < len(found) or len(set(names)) < len(names):
        raise UnreadableList("has two columns of the same name")
    return columns


def plain_name(name: str) -> str:
    """Return a column's name as `WANTED` has it: inventories call it ETag in CSV and e_tag elsewhere."""
    return name.strip().lower().replace("_", "")


def _named(batch: pyarrow.RecordBatch, columns: dict[str, str]) -> pyarrow.RecordBatch:
    return pyarrow.RecordBatch.from_arrays([batch.column(own) for own in columns.values()], list(columns))
