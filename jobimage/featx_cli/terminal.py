"""Keeps the output of Spark, BigDL and their native libraries off the terminal, and in a log for whoever needs it.

A JVM inherits the process's standard output, and some native code writes there directly, past all logging settings. So
the file descriptors themselves are redirected to a log; a duplicate of the terminal stays for Featx's own output.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

STANDARD = (1, 2)


@contextmanager
def redirected_to(log: Path) -> Iterator[TextIO]:
    """Redirects standard output and standard error to a file while the block runs.

    Args:
        log: The file; it is overwritten.

    Yields:
        The original standard output.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    originals = [os.dup(descriptor) for descriptor in STANDARD]
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        for descriptor in STANDARD:
            os.dup2(target, descriptor)
        with os.fdopen(os.dup(originals[0]), "w") as terminal:
            yield terminal
    finally:
        for descriptor, original in zip(STANDARD, originals, strict=True):
            os.dup2(original, descriptor)
            os.close(original)
        os.close(target)
