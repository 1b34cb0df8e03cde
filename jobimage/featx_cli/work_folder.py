"""The temporary folder of a run on this machine, and the removal of those that killed runs have left behind.

A run holds a lock on its folder, which the system gives back when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "featx-run-"


@contextmanager
def created() -> Iterator[Path]:
    """Creates a folder, and removes it with everything in it when the block ends; first removes abandoned ones.

    Yields:
        The folder.
    """
    remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    descriptor = _locked(folder)
    while descriptor is None:  # another process took it for an abandoned one
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        descriptor = _locked(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def remove_abandoned() -> None:
    """Removes this user's folders that no process holds."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            own = folder.lstat().st_uid == os.getuid()
        except FileNotFoundError:
            continue
        if own and (descriptor := _locked(folder)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(descriptor)


def _locked(folder: Path) -> int | None:
    """A descriptor that holds the folder, or None if another process does, or it is gone."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), folder.stat()):
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None
