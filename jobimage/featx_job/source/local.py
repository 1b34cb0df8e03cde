"""Images that are files: of a mounted volume, or of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from featx_api.failures import FailureClass

from featx_job.failures import RunFailure
from featx_job.source import Listed


class FolderSource:
    """`ObjectSource` of the files below a folder, without hidden ones; keys are paths relative to it."""

    def __init__(self, folder: Path, field: str) -> None:
        """Uses a folder.

        Args:
            folder: The folder, as driver and executors see it.
            field: Where in the spec it stands.

        Raises:
            RunFailure: SourceNotFound.
        """
        if not folder.is_dir():
            raise RunFailure(FailureClass.SOURCE_NOT_FOUND, f"{field}: folder {folder} not found")
        self._folder = folder

    @property
    def base(self) -> str:
        """Implements `ObjectSource`."""
        return f"file://{self._folder.resolve()}/"

    def objects(self) -> Iterator[Listed]:
        """Implements `ObjectSource`."""
        found = []
        for parent, folders, files in os.walk(self._folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in files:
                path = Path(parent) / name
                if not name.startswith(".") and path.is_file():
                    found.append(self._listed(str(path.relative_to(self._folder))))
        yield from sorted(found, key=lambda each: os.fsencode(each.key))

    def find(self, key: str) -> Listed | None:
        """Implements `ObjectSource`."""
        return self._listed(key) if (self._folder / key).is_file() else None

    def _listed(self, key: str) -> Listed:
        status = (self._folder / key).stat()
        return Listed(key, status.st_size, str(status.st_mtime_ns))

    def read(self, key: str) -> bytes:
        """Implements `ObjectSource`."""
        try:
            return (self._folder / key).read_bytes()
        except OSError as error:
            raise RunFailure(
                FailureClass.SOURCE_NOT_FOUND, f"{self._folder / key} cannot be read ({error.strerror})"
            ) from None
