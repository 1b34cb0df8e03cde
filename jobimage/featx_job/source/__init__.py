"""Where images are: each kind of source lists its objects, and says by which address executors read them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol


class Listed(NamedTuple):
    """An object of the source.

    Attributes:
        key: By which the table names it.
        size: In bytes.
        version: What changes with its content: a store's etag, a file's time of modification. Empty where unknown.
    """

    key: str
    size: int
    version: str = ""


class ObjectSource(Protocol):
    """A source that lists its objects.

    All are images until they are seen not to be: nothing is left out by its name.
    """

    @property
    def base(self) -> str:
        """What stands before a key in the address that executors read, such as s3a://bucket/."""

    def objects(self) -> Iterator[Listed]:
        """Yields the objects in order of their keys. Raises RunFailure."""

    def find(self, key: str) -> Listed | None:
        """Returns an object by its key, or None if there is none. Raises RunFailure."""

    def read(self, key: str) -> bytes:
        """Returns an object's content: for tools that look at a few, since executors read for themselves.

        Raises:
            RunFailure: It can't be read.
        """


def listed(source: ObjectSource, keys: Sequence[str]) -> Iterator[Listed]:
    """Yields the objects of a source that are wanted, in order of their keys.

    One that isn't there is listed all the same, for its reader to find it missing: nothing that was asked for is lost.

    Args:
        source: The source.
        keys: Of those that are wanted; all where empty.
    """
    if not keys:
        yield from source.objects()
    for key in sorted(set(keys), key=os.fsencode):
        yield source.find(key) or Listed(key, 1)
