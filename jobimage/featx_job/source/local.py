"""Images in files of a mounted volume, or of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from featx_api.failures import FailureClass

from featx_job.failures import RunFailure
from featx_job.source.objects import SourceObject


class LocalSource:
    """`ObjectSource` of the files below a folder, except hidden ones; keys are paths relative to it."""

    def __init__(self, folder: Path, field: str) -> None:
        """Use a folder.

        Args:
            folder: The folder, as driver and executors see it.
            field: The spec's field that names it.

        Raises:
            RunFailure: SourceNotFound.
        """
        if not folder.is_dir():
            raise RunFailure(FailureClass.SOURCE_NOT_FOUND, f"{field}: folder {folder} not found")
        self._folder, self._field = folder, field

    @property
    def base(self) -> str:
        """Implements `ObjectSource`."""
        return f"file://{self._folder.resolve()}/"

    def objects(self) -> Iterator[SourceObject]:
        """Implements `ObjectSource`."""
        objects = []
        for parent, folders, files in os.walk(self._folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in files:
                path = Path(parent) / name
                if not name.startswith(".") and path.is_file():
                    objects.append(self._object(str(path.relative_to(self._folder))))
        yield from sorted(objects, key=lambda file: os.fsencode(file.key))

    def find(self, key: str) -> SourceObject | None:
        """Implements `ObjectSource`."""
        return self._object(key) if (self._folder / key).is_file() else None

    def _object(self, key: str) -> SourceObject:
        status = (self._folder / key).stat()
        return SourceObject(key, status.st_size, str(status.st_mtime_ns))

    def read(self, key: str) -> bytes:
        """Implements `ObjectSource`."""
        try:
            return (self._folder / key).read_bytes()
        except OSError as error:
            message = f"{self._field}: {self._folder / key} cannot be read ({error.strerror})"
            raise RunFailure(FailureClass.SOURCE_NOT_FOUND, message) from None
