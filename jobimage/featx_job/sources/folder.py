"""Pictures that are files: of a mounted volume, or of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from featx_job.failures import RunFailure
from featx_job.shards import ListedShards, cut
from featx_job.sources import Listed, listed


class FolderSource:
    """`Source` of all files below a folder; keys are paths relative to it. Hidden files and folders are left out."""

    def __init__(self, folder: Path, field: str) -> None:
        """Uses a folder.

        Args:
            folder: The folder, as driver and executors see it.
            field: Where in the spec it stands.

        Raises:
            RunFailure: SourceNotFound.
        """
        if not folder.is_dir():
            raise RunFailure("SourceNotFound", f"{field}: there is no folder {folder}")
        self._folder = folder

    @property
    def base(self) -> str:
        """Implements `Source`."""
        return f"file://{self._folder.resolve()}/"

    def shards(self, pictures: int, keys: Sequence[str] = ()) -> ListedShards:
        """Implements `Source`."""
        return cut(self.base, listed(self, keys), pictures)

    def objects(self) -> Iterator[Listed]:
        """Implements `Source`."""
        found = []
        for parent, folders, files in os.walk(self._folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in files:
                path = Path(parent) / name
                if not name.startswith(".") and path.is_file():
                    found.append(Listed(str(path.relative_to(self._folder)), path.stat().st_size))
        yield from sorted(found, key=lambda each: os.fsencode(each.key))

    def find(self, key: str) -> Listed | None:
        """Implements `ObjectSource`."""
        path = self._folder / key
        return Listed(key, path.stat().st_size) if path.is_file() else None

    def read(self, key: str) -> bytes:
        """Implements `Source`."""
        try:
            return (self._folder / key).read_bytes()
        except OSError as error:
            raise RunFailure("SourceNotFound", f"{self._folder / key} can't be read ({error.strerror})") from None
