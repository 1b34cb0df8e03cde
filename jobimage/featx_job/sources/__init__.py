"""Where pictures are: each kind of source lists its objects, and says by which address executors read them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from featx_job.shards import ShardList


class Listed(NamedTuple):
    """An object of the source: the key by which the table names it, and its size in bytes."""

    key: str
    size: int


class Source(Protocol):
    """Cuts itself into shards. All are pictures until they are seen not to be: nothing is left out by its name."""

    def shards(self, pictures: int, keys: Sequence[str] = ()) -> ShardList:
        """Returns all shards.

        Args:
            pictures: How many a shard is to hold.
            keys: Of the pictures that are wanted; all where empty.

        Raises:
            RunFailure: The source can't be listed.
        """


class ObjectSource(Source, Protocol):
    """A source whose pictures have addresses."""

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
