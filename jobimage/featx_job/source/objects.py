"""Objects of a source, and what every source that lists objects can do."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol


class SourceObject(NamedTuple):
    """An object of the source.

    Attributes:
        key: Its name in the table.
        size: In bytes.
        version: Changes with the content: a store's ETag, or a file's modification time. Empty if unknown.
    """

    key: str
    size: int
    version: str = ""


class ObjectSource(Protocol):
    """A source that lists its objects.

    Every object counts as an image until it has been read: none is skipped because of its name.
    """

    @property
    def base(self) -> str:
        """Prefix that turns a key into the address that executors read, such as s3a://bucket/."""

    def objects(self) -> Iterator[SourceObject]:
        """Yield the objects in key order. Raises RunFailure."""

    def find(self, key: str) -> SourceObject | None:
        """Return the object with this key, or None if there is none. Raises RunFailure."""

    def read(self, key: str) -> bytes:
        """Return an object's content: for tools that sample a few images, since executors read for themselves.

        Raises:
            RunFailure: The object can't be read.
        """


def select(source: ObjectSource, keys: Sequence[str]) -> Iterator[SourceObject]:
    """Yield the selected objects of a source in key order.

    A missing object is listed as well, so that its reader reports it missing: no requested image gets lost.

    Args:
        source: The source.
        keys: Of the objects to select; empty selects all.
    """
    if not keys:
        yield from source.objects()
    for key in sorted(set(keys), key=os.fsencode):
        yield source.find(key) or SourceObject(key, 1)
