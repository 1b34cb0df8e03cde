"""Images in files of a mounted volume, or of this machine."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator

from featx_api.failures import FailureClass

from featx_job.failures import RunFailure
from featx_job.local_files import LocalPath
from featx_job.source import keys
from featx_job.source.objects import SourceObject, is_listed, not_found, not_listed
from featx_job.source.selection import is_hidden

# Python walks folders by recursion, and no path of Linux holds many more.
MOST_FOLDERS = 256
UNKNOWN_SIZE = 1  # of a file that only executors open
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)  # or replaced by a file or a link


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

    def objects(self, *, in_hidden_folders: bool = False, after: str = "") -> Iterator[SourceObject]:
        """Implements `ObjectSource`. Hidden folders are not opened if they need not be: some, nobody may open."""
        with self._folder.opened_folder() as opened:
            yield from self._below(b"", opened, in_hidden_folders, keys.to_bytes(after))

    def _below(self, folder: bytes, opened: int, in_hidden_folders: bool, after: bytes) -> Iterator[SourceObject]:
        """Yield what is below a folder: its path, which ends with a slash, and its descriptor."""
        if folder.count(b"/") > MOST_FOLDERS:
            raise self._too_deep()
        for entry in self._entries(folder, opened):
            path, name = folder + entry, os.fsdecode(entry.rstrip(b"/"))
            if path <= after and not (entry.endswith(b"/") and after.startswith(path)):
                continue
            if entry.endswith(b"/") and is_hidden(_key(name)) and not in_hidden_folders:
                listed: SourceObject | None = not_listed(_key(os.fsdecode(path[:-1])))
            elif entry.endswith(b"/") and (inner := self._opened_folder(name, opened)) is not None:
                try:
                    yield from self._below(path, inner, in_hidden_folders, after)
                finally:
                    os.close(inner)
                continue
            else:
                listed = self._object(os.fsdecode(path.rstrip(b"/")), name, opened)
            if listed and path > after:
                yield listed

    def _entries(self, folder: bytes, opened: int) -> list[bytes]:
        """Return the names in a folder in the order of what is listed for them: all but files end with a slash."""
        try:
            with os.scandir(opened) as entries:
                return sorted(
                    os.fsencode(entry.name) + (b"" if self._is_file(folder, entry) else b"/") for entry in entries
                )
        except OSError as error:
            self._fail(error)
            return []

    def _is_file(self, folder: bytes, entry: os.DirEntry[str]) -> bool:
        if entry.is_symlink():
            return is_listed(self._link(os.fsdecode(folder) + entry.name))
        return entry.is_file(follow_symlinks=False)

    def _opened_folder(self, name: str, parent: int) -> int | None:
        """Return a folder's descriptor, or None if there is none of this name."""
        try:
            return os.open(name, _FOLDER, dir_fd=parent)
        except OSError as error:
            self._fail(error)
            return None

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
        if error.errno in _GONE:
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
