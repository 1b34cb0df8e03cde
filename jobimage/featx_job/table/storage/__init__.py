"""Where the run's files are: one interface for a bucket and for a folder.

Only the driver uses it, for what is small: lists, marks, the manifest, and moving finished files into place.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


class StoredFile(NamedTuple):
    """A file of the run: its path below the output and its size in bytes."""

    path: str
    size: int


class Storage(Protocol):
    """Files below the output's address. Paths are relative to it; a file is there whole or not at all."""

    @property
    def hadoop_uri(self) -> str:
        """The output's address as executors' Hadoop file systems know it, without a slash at the end."""

    def make(self) -> None:
        """Makes the folder, where there are folders, unless it is there. Raises RunFailure: OutputNotWritable."""

    def read(self, path: str) -> bytes | None:
        """Returns a file's content, or None if there is none."""

    def write(self, path: str, data: bytes) -> None:
        """Writes a file, over an old one if there is one."""

    def create(self, path: str, data: bytes) -> bool:
        """Writes a file, unless there is one already: then returns False. Of several writers one succeeds.

        Raises:
            RunFailure: OutputNotWritable, if the store can't promise that.
        """

    def files(self, folder: str) -> list[StoredFile]:
        """Returns the files below a folder, by path; none where there is no such folder."""

    def move(self, source: str, target: str) -> None:
        """Moves a file over an old one if there is one; does nothing if it was moved before."""

    def remove(self, paths: list[str]) -> None:
        """Removes files; those that are gone already do not matter."""
