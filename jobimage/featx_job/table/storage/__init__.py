"""Stores that hold the run's files: one interface for buckets and folders.

Only the driver uses it, for small files: lists, markers, the manifest, and moving finished files into place.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


class StoredFile(NamedTuple):
    """A file of the run: its path below the output and its size in bytes."""

    path: str
    size: int

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit("/", 1)[-1]


class Storage(Protocol):
    """Files below the output's address. Paths are relative to it. Files appear whole or not at all."""

    @property
    def hadoop_uri(self) -> str:
        """The output's address in Hadoop's notation, which executors use; no trailing slash."""

    def make(self) -> None:
        """Create the folder, if the store has folders. Raises RunFailure: OutputNotWritable."""

    def read(self, path: str) -> bytes | None:
        """Return a file's content, or None if there is no such file."""

    def write(self, path: str, data: bytes) -> None:
        """Write a file, replacing an existing one."""

    def create(self, path: str, data: bytes) -> bool:
        """Write a file if it does not exist; otherwise return False. Exactly one of several writers succeeds.

        Raises:
            RunFailure: OutputNotWritable, if the store can't guarantee that.
        """

    def files(self, folder: str) -> list[StoredFile]:
        """Return the files below a folder, sorted by path; none if the folder does not exist."""

    def move(self, source: str, target: str) -> None:
        """Move a file, replacing an existing one; a file that was moved before is left alone."""

    def remove(self, paths: list[str]) -> None:
        """Remove files; missing ones are ignored."""
