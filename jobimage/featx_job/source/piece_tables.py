"""Cuts what a source lists into tables of one piece each: from objects, or from batches of a list that it was given.

A billion rows of an inventory pass here, so batches are looked at as columns; only rows in doubt become objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import pyarrow as pa
from pyarrow import compute

from featx_job.source.objects import SourceObject
from featx_job.source.pieces import SCHEMA_COLUMNS
from featx_job.source.selection import IN_DOUBT, Selection, Skipped, selected

SCHEMA = pa.schema([pa.field(name, pa.int64() if name == "size" else pa.string()) for name in SCHEMA_COLUMNS])


def of_objects(objects: Iterator[SourceObject], rows: int) -> Iterator[pa.Table]:
    """Yield tables of so many objects; the last one may be smaller or empty."""
    while True:
        part = list(islice(objects, rows))
        yield of_all(part)
        if len(part) < rows:
            return


def of_batches(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Yield the rows of batches in tables of so many; the last one may be smaller or empty."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        waiting.append(batch)
        count += len(batch)
        while count >= rows:
            table = pa.Table.from_batches(waiting, SCHEMA)
            yield table.slice(0, rows)
            waiting, count = table.slice(rows).to_batches(), count - rows
    yield pa.Table.from_batches(waiting, SCHEMA)


def select(batches: Iterable[pa.RecordBatch], selection: Selection, skipped: Skipped) -> Iterator[pa.RecordBatch]:
    """Yield the rows that a spec selects.

    Args:
        batches: Of the columns key, size and version.
        selection: The spec's.
        skipped: Counts the others.
    """
    for batch in batches:
        if selection.include or selection.exclude:
            doubtful = pa.array([True] * len(batch), pa.bool_())
        else:
            doubtful = compute.match_substring_regex(batch.column("key"), IN_DOUBT, ignore_case=True)
        if not compute.any(doubtful).as_py():
            yield batch
            continue
        objects = [SourceObject(*row) for row in zip(*batch.filter(doubtful).to_pydict().values(), strict=True)]
        kept = {file.key for file in selected(objects, selection, skipped)}
        answers = iter([file.key in kept for file in objects])
        yield batch.filter(pa.array([not doubt or next(answers) for doubt in doubtful.to_pylist()], pa.bool_()))


def of_all(objects: Sequence[SourceObject]) -> pa.Table:
    """Return a table of objects."""
    columns = zip(*objects, strict=True) if objects else ((), (), ())
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)], SCHEMA)


def objects_of(table: pa.Table) -> list[SourceObject]:
    """Return the objects of a table."""
    return [SourceObject(*row) for row in zip(*table.to_pydict().values(), strict=True)]
