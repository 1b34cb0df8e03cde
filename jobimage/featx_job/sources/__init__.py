"""Where pictures are: each kind of source lists its objects, and says by which address executors read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol


class Listed(NamedTuple):
    """An object of the source: the key by which the table names it, and its size in bytes."""

    key: str
    size: int


class Source(Protocol):
    """Lists a source. What it lists are pictures until they are seen not to be: nothing is left out by its name."""

    @property
    def base(self) -> str:
        """What stands before a key in the address that executors read, such as s3a://bucket/."""

    def objects(self) -> Iterator[Listed]:
        """Yields the objects in order of their keys. Raises RunFailure."""

    def read(self, key: str) -> bytes:
        """Returns an object's content: for tools that look at a few, since executors read for themselves.

        Raises:
            RunFailure: It can't be read.
        """
