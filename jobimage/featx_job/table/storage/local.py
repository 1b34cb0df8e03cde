"""Files in a folder of a volume mounted into driver and executors, or of this machine."""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby

from featx_api.failures import FailureClass

from featx_job.failures import RunFailure
from featx_job.local_files import LocalPath
from featx_job.table.storage import StoredFile

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class LocalStorage:
    """`Storage` in a folder. Files are written under another name and renamed, which is atomic on POSIX.

    All functions take descriptors of folders: a link that somebody plants in the folder is replaced, never followed
    out of a claim.
    """

    def __init__(self, root: LocalPath) -> None:
        """Use a folder.

        Args:
            root: The folder.
        """
        self._root = root

    @property
    def hadoop_uri(self) -> str:
        """Implements `Storage`."""
        return f"file://{self._root.path}"

    def make(self) -> None:
        """Implements `Storage`. Raises RunFailure: PathNotAllowed too."""
        try:
            with self._root.opened_folder(create=True) as folder:
                writable = os.access(".", os.W_OK, dir_fd=folder)
        except OSError as error:
            message = f"{self._root.field}: {self._root.path} cannot be created ({error.strerror})"
            raise RunFailure(FailureClass.OUTPUT_NOT_WRITABLE, f"{message}; choose another folder") from None
        if not writable:
            message = f"{self._root.field}: {self._root.path} is not writable by user {os.getuid()}"
            raise RunFailure(FailureClass.OUTPUT_NOT_WRITABLE, f"{message}; choose another folder")

    def read(self, path: str) -> bytes | None:
        """Implements `Storage`."""
        try:
            with self._root.open(path) as file:
                return file.read()
        except FileNotFoundError:
            return None

    def write(self, path: str, data: bytes) -> None:
        """Implements `Storage`."""
        folder_path, name = os.path.split(path)
        with self._root.opened_folder(folder_path, create=True) as folder:
            os.replace(_write_hidden(folder, name, data), name, src_dir_fd=folder, dst_dir_fd=folder)

    def create(self, path: str, data: bytes) -> bool:
        """Implements `Storage`: a complete file gets a second name, a hard link, which fails if the name is taken."""
        folder_path, name = os.path.split(path)
        with self._root.opened_folder(folder_path, create=True) as folder:
            hidden = _write_hidden(folder, name, data)
            try:
                os.link(hidden, name, src_dir_fd=folder, dst_dir_fd=folder)
            except FileExistsError:
                return False
            except OSError as error:
                message = (
                    f"{self._root.field}: {self._root.path} does not support hard links ({error.strerror}), which "
                    "Delta tables require; use spec.output.format parquet"
                )
                raise RunFailure(FailureClass.OUTPUT_NOT_WRITABLE, message) from None
            finally:
                os.unlink(hidden, dir_fd=folder)
        return True

    def files(self, folder: str) -> list[StoredFile]:
        """Implements `Storage`. Links are left out."""
        return sorted(self._files(folder))

    def _files(self, folder: str) -> Iterator[StoredFile]:
        try:
            with self._root.opened_folder(folder) as opened:
                for parent, _, names, descriptor in os.fwalk(".", dir_fd=opened):
                    for name in names:
                        status = None if name.startswith(".") else _status(name, descriptor)
                        if status and stat.S_ISREG(status.st_mode):
                            path = os.path.normpath(f"{folder.strip('/') or '.'}/{parent}/{name}")
                            yield StoredFile(path, status.st_size)
        except FileNotFoundError:
            return

    def move(self, source: str, target: str) -> None:
        """Implements `Storage`."""
        (from_path, old), (to_path, new) = os.path.split(source), os.path.split(target)
        with self._root.opened_folder(to_path, create=True) as to_folder:
            try:
                with self._root.opened_folder(from_path) as from_folder:
                    os.replace(old, new, src_dir_fd=from_folder, dst_dir_fd=to_folder)
            except FileNotFoundError:
                if not _exists(new, to_folder):
                    raise

    def remove(self, paths: list[str]) -> None:
        """Implements `Storage`."""
        for folder_path, in_folder in groupby(sorted(paths), key=os.path.dirname):
            with suppress(FileNotFoundError), self._root.opened_folder(folder_path) as folder:
                for path in in_folder:
                    with suppress(FileNotFoundError):
                        os.unlink(path.rpartition("/")[2], dir_fd=folder)


def _write_hidden(folder: int, name: str, data: bytes) -> str:
    hidden = f".{name}.{uuid.uuid4().hex}"
    with os.fdopen(os.open(hidden, _NEW, 0o666, dir_fd=folder), "wb") as file:
        file.write(data)
    return hidden


def _exists(name: str, folder: int) -> bool:
    return _status(name, folder) is not None


def _status(name: str, folder: int) -> os.stat_result | None:
    """Return a file's status, or None if it is gone: others write to the folder too."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
