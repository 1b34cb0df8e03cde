"""Objects of a source, and what every source that lists objects can do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from featx_api.failures import FailureClass

from featx_job.failures import RunFailure
from featx_job.source import keys

_ENCODED = re.compile("%[0-9A-Fa-f]{2}")

#: Number of files that were left out of a source, by cause (`featx_job.source.selection`).
SkippedCounts = Mapping[str, int]


class SourceObject(NamedTuple):
    """An object of the source.

    Attributes:
        key: Its name in the table (`featx_job.source.keys`).
        size: In bytes.
        version: Changes with the content: a store's ETag, or a file's modification time. Empty if unknown.
    """

    key: str
    size: int
    version: str = ""


class ObjectSource(Protocol):
    """A source that lists its objects, whatever their names are: `featx_job.source.selection` decides which count."""

    @property
    def base(self) -> str:
        """Prefix that turns a key into the address that executors read, such as s3a://bucket/, written like keys."""

    @property
    def root(self) -> str:
        """The part of all keys that is the source's folder; ends with a slash unless it is empty."""

    @property
    def field(self) -> str:
        """Path of the source in the spec."""

    @property
    def address(self) -> str:
        """The source's address as users know it."""

    def objects(self, *, in_hidden_folders: bool = False, after: str = "") -> Iterator[SourceObject]:
        """Yield all objects as they are listed, in order (`by_key`); memory does not grow with their number.

        Args:
            in_hidden_folders: Whether those in hidden folders are needed. Otherwise a source may yield the folder in
                their place (`not_listed`).
            after: Only objects with keys after this one in that order, so that a listing goes on where it ended.

        Raises:
            RunFailure: The source can't be listed.
        """

    def find(self, key: str) -> SourceObject | None:
        """Return the object with this key, or None if there is none. Raises RunFailure."""


def not_found(field: str, address: str) -> RunFailure:
    """Return the failure of a source whose folder does not exist."""
    literal = (
        "; addresses are not decoded: write the characters that %XX stands for" if _ENCODED.search(address) else ""
    )
    return RunFailure(FailureClass.SOURCE_NOT_FOUND, f"{field}: folder {address} not found{literal}")


def not_listed(key: str) -> SourceObject:
    """Return what stands for something that is no file, so that it is counted: a hidden folder, or a link to one."""
    return SourceObject(f"{key}/", 0)


def is_listed(found: SourceObject) -> bool:
    """Return whether this is an object: stores may have one whose key ends with a slash, but it has content then."""
    return found.size > 0 or not found.key.endswith("/")


def by_key(objects: Iterable[SourceObject]) -> list[SourceObject]:
    """Return objects in the order in which sources list them, that of their names' bytes.

    This is the order of their keys' bytes, but for names with characters that keys escape, such as control characters:
    a store lists names, and knows no other order.
    """
    return sorted(objects, key=lambda file: keys.to_bytes(file.key))


def with_keys(source: ObjectSource, wanted: Sequence[str]) -> Iterator[SourceObject]:
    """Yield the objects of a source that have these keys, in order.

    A missing object is listed as well, so that its reader reports it missing: no requested image gets lost.
    """
    yield from by_key(source.find(key) or SourceObject(key, 1) for key in set(wanted))
