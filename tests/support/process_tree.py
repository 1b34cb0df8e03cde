"""Signals for a process and all that it has started: a driver's JVM has a session of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def signal_tree(process: int, signal_: signal.Signals) -> None:
    """Sends a signal to a process and its descendants, if it still runs."""
    for each in [process, *descendants(process)]:
        with suppress(ProcessLookupError):
            os.kill(each, signal_)


def descendants(process: int) -> Iterator[int]:
    """Yields the processes that a process has started, and those that they have."""
    for listing in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, _words(listing)):
            yield child
            yield from descendants(child)


def _words(listing: Path) -> list[str]:
    try:
        return listing.read_text().split()
    except OSError:
        return []  # it has ended meanwhile
