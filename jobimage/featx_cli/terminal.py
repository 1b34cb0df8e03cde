"""Keeps what Spark, BigDL and their natives print off the terminal, and keeps it for whoever needs it.

A JVM inherits the process's standard output, and some of what it loads writes there directly, past every logging
setting. So the file descriptors themselves are turned to a log file; a duplicate of the terminal stays for our words.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

STANDARD = (1, 2)


@contextmanager
def turned_to(log: Path) -> Iterator[TextIO]:
    """Turns standard output and standard error to a file while the block runs.

    Args:
        log: The file; what an earlier run wrote is replaced.

    Yields:
        The standard output that was there before.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    before = [os.dup(descriptor) for descriptor in STANDARD]
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        for descriptor in STANDARD:
            os.dup2(target, descriptor)
        with os.fdopen(os.dup(before[0]), "w") as terminal:
            yield terminal
    finally:
        for descriptor, kept in zip(STANDARD, before, strict=True):
            os.dup2(kept, descriptor)
            os.close(kept)
        os.close(target)
