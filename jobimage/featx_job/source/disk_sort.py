"""Sorts more objects than memory holds: those of stores that do not list keys in the order of their bytes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing

from featx_job.clients.s3_pages import StoredObject

CREATE = "CREATE TABLE objects (key BLOB, size INTEGER, version TEXT)"
SORTED = "SELECT key, size, version FROM objects WHERE key > ? ORDER BY key"


def sorted_by_key(objects: Iterable[StoredObject], after: str) -> Iterator[StoredObject]:
    """Yield objects in the order of their keys' bytes, after all have been read; they wait in a temporary file.

    Args:
        objects: In any order.
        after: Only objects with later keys are yielded.
    """
    with closing(sqlite3.connect("", isolation_level=None)) as file:  # SQLite removes it, whatever happens
        file.execute("PRAGMA journal_mode = OFF")
        file.execute(CREATE)
        file.execute("BEGIN")
        rows = ((stored.key.encode(), stored.size, stored.version) for stored in objects)
        file.executemany("INSERT INTO objects VALUES (?, ?, ?)", rows)
        for key, size, version in file.execute(SORTED, [after.encode()]):
            yield StoredObject(key.decode(), size, version)
