"""Images in files of a mounted volume, or of this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from featx_api.failures import FailureClass

from featx_job.failures import RunFailure
from featx_job.local_files import LocalPath
from featx_job.source.objects import SourceObject


class LocalSource:
    """`ObjectSource` of the files below a folder, except hidden ones; keys are paths relative to it.

    A link that leads out of a claim is listed without being followed: executors put it in quarantine.
    """

    def __init__(self, folder: LocalPath) -> None:
        """Use a folder.

        Args:
            folder: The folder, as driver and executors see it.

        Raises:
            RunFailure: SourceNotFound or PathNotAllowed.
        """
        if not folder.is_folder():
            message = f"{folder.field}: folder {folder.path} not found"
            raise RunFailure(FailureClass.SOURCE_NOT_FOUND, message)
        self._folder = folder

    @property
    def base(self) -> str:
        """Implements `ObjectSource`."""
        return f"file://{self._folder.resolved()}/"

    def objects(self) -> Iterator[SourceObject]:
        """Implements `ObjectSource`."""
        objects = []
        with self._folder.opened_folder() as opened:
            for parent, folders, files, descriptor in os.fwalk(".", dir_fd=opened, onerror=self._fail):
                names = [name for name in (*folders, *files) if not name.startswith(".")]
                folders[:] = [name for name in folders if not name.startswith(".")]
                for name in names:
                    if listed := self._object(os.path.normpath(f"{parent}/{name}"), name, descriptor):
                        objects.append(listed)
        yield from sorted(objects, key=lambda file: os.fsencode(file.key))

    def find(self, key: str) -> SourceObject | None:
        """Implements `ObjectSource`."""
        if self._folder.leads_out(key):
            return SourceObject(key, 1)
        try:
            with self._folder.open(key) as file:
                return _from_status(key, os.fstat(file.fileno()))
        except OSError:
            return None

    def _object(self, key: str, name: str, parent: int) -> SourceObject | None:
        """Return a file of a folder, or None for a folder, a dangling link, a special file or one that is gone."""
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:  # deleted or renamed since the folder was read, as programs that write files do
            return None
        if stat.S_ISLNK(status.st_mode):
            return self.find(key)
        return _from_status(key, status) if stat.S_ISREG(status.st_mode) else None

    def _fail(self, error: OSError) -> None:
        """Fail the run on a folder that can't be listed, unless it is gone: its images would be missing in silence."""
        if isinstance(error, FileNotFoundError):
            return
        message = f"{self._folder.field}: a folder in {self._folder.path} cannot be listed ({error.strerror})"
        denied = isinstance(error, PermissionError)
        raise RunFailure(FailureClass.ACCESS_DENIED if denied else FailureClass.SOURCE_NOT_FOUND, message)

    def read(self, key: str) -> bytes:
        """Return a file's content: for tools that sample images, since executors read for themselves."""
        try:
            with self._folder.open(key) as file:
                return file.read()
        except OSError as error:
            message = f"{self._folder.field}: {self._folder.path / key} cannot be read ({error.strerror})"
            raise RunFailure(FailureClass.SOURCE_NOT_FOUND, message) from None


def _from_status(key: str, status: os.stat_result) -> SourceObject:
    return SourceObject(key, status.st_size, str(status.st_mtime_ns))
