"""Images in files of a mounted volume, or of this machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from featx_api.failures import FailureClass

from featx_job.failures import RunFailure
from featx_job.local_files import LocalPath
from featx_job.source import keys
from featx_job.source.objects import SourceObject, by_key, not_found, not_listed
from featx_job.source.selection import is_hidden

# Python walks folders by recursion, and no path of Linux holds many more.
MOST_FOLDERS = 256
UNKNOWN_SIZE = 1  # of a file that only executors open


class LocalSource:
    """`ObjectSource` of the files below a folder; keys are paths relative to it.

    A link that leads out of a claim is listed without being followed: executors put it in quarantine. Links to folders
    are not followed either, since they may lead to images that are listed anyway, or in a circle.
    """

    def __init__(self, folder: LocalPath) -> None:
        """Use a folder.

        Args:
            folder: The folder, as driver and executors see it.

        Raises:
            RunFailure: SourceNotFound or PathNotAllowed.
        """
        if not folder.is_folder():
            raise not_found(folder.field, str(folder.path))
        self._folder = folder

    @property
    def base(self) -> str:
        """Implements `ObjectSource`."""
        return keys.from_bytes(os.fsencode(f"file://{self._folder.resolved()}/"))

    @property
    def root(self) -> str:
        """Implements `ObjectSource`."""
        return ""

    @property
    def field(self) -> str:
        """Implements `ObjectSource`."""
        return self._folder.field

    @property
    def address(self) -> str:
        """Implements `ObjectSource`."""
        return self._folder.address

    def objects(self, *, in_hidden_folders: bool = False) -> Iterator[SourceObject]:
        """Implements `ObjectSource`. Hidden folders are not opened if they need not be: some, nobody may open."""
        objects = []
        with self._folder.opened_folder() as opened:
            for parent, folders, files, descriptor in os.fwalk(".", dir_fd=opened, onerror=self._fail):
                if parent.count("/") > MOST_FOLDERS:
                    raise self._too_deep()
                closed = set() if in_hidden_folders else {name for name in folders if is_hidden(_key(name))}
                for name in (*folders, *files):
                    path = os.path.normpath(f"{parent}/{name}")
                    listed = not_listed(_key(path)) if name in closed else self._object(path, name, descriptor)
                    objects += [listed] if listed else []
                folders[:] = [name for name in folders if name not in closed]
        yield from by_key(objects)

    def _too_deep(self) -> RunFailure:
        message = f"{self._folder.field}: {self._folder.address} has folders nested more than {MOST_FOLDERS} deep"
        return RunFailure(FailureClass.SOURCE_NOT_SUPPORTED, f"{message}; move them, or name a folder inside")

    def find(self, key: str) -> SourceObject | None:
        """Implements `ObjectSource`."""
        path = _path(key)
        if "\0" in path:
            return None
        try:
            return self._opened(path)
        except OSError:
            return None

    def _opened(self, path: str) -> SourceObject:
        """Return a file, following links within the claim. Raises OSError if it can't be opened."""
        if self._folder.leads_out(path):
            return SourceObject(_key(path), UNKNOWN_SIZE)
        with self._folder.open(path) as file:
            return _from_status(path, os.fstat(file.fileno()))

    def _object(self, path: str, name: str, parent: int) -> SourceObject | None:
        """Return what is listed for a name in a folder, or None for a folder or what is gone."""
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:  # deleted or renamed since the folder was read, as programs that write files do
            return None
        if stat.S_ISLNK(status.st_mode):
            return self._link(path)
        if stat.S_ISREG(status.st_mode):
            return _from_status(path, status)
        return None if stat.S_ISDIR(status.st_mode) else not_listed(_key(path))

    def _link(self, path: str) -> SourceObject:
        """Return the file that a link leads to; executors report one that can't be opened."""
        try:
            return self._opened(path)
        except PermissionError:
            return SourceObject(_key(path), UNKNOWN_SIZE)
        except OSError:
            return not_listed(_key(path))

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
            with self._folder.open(_path(key)) as file:
                return file.read()
        except OSError as error:
            message = f"{self._folder.field}: {self._folder.path / key} cannot be read ({error.strerror})"
            raise RunFailure(FailureClass.SOURCE_NOT_FOUND, message) from None


def _key(path: str) -> str:
    return keys.from_bytes(os.fsencode(path))


def _path(key: str) -> str:
    return os.fsdecode(keys.to_bytes(key))


def _from_status(path: str, status: os.stat_result) -> SourceObject:
    return SourceObject(_key(path), status.st_size, str(status.st_mtime_ns))
