"""The logs of runs on this machine: a file for each process, so that no run takes away the log of another.

A process holds a lock on its log, so that the removal of old ones spares those that are still written to.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

KEPT = 10  # finished ones of a name


@contextmanager
def created(folder: Path) -> Iterator[Path]:
    """Creates a log that is this process's until the block ends, and removes the oldest ones of a folder.

    Args:
        folder: Where the logs of one resource are.

    Yields:
        The log. Names sort by time, in UTC.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _remove_old(folder)
    log, descriptor = _new_file(folder)
    try:
        yield log
    finally:
        os.close(descriptor)


def _new_file(folder: Path) -> tuple[Path, int]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S")
    for number in count(1):
        log = folder / (f"{now}.log" if number == 1 else f"{now}-{number}.log")
        try:
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            continue
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return log, descriptor
    raise AssertionError


def _remove_old(folder: Path) -> None:
    """Removes all but the newest logs, unless a process still holds them."""
    for log in sorted(folder.glob("*.log"))[: -(KEPT - 1)]:
        try:
            descriptor = os.open(log, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue  # another process has removed it
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            log.unlink(missing_ok=True)
        except OSError:
            pass  # still being written to
        finally:
            os.close(descriptor)
