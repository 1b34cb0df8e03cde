"""The one exception of this package: one clear line for people, and the end of the log."""

from __future__ import annotations

from pathlib import Path

LINES_SHOWN = 15


class ClusterError(Exception):
    """The cluster, or an image for it, could not be created; the message says what to do or where to look."""


def log_tail(path: Path, lines: int = LINES_SHOWN) -> str:
    """Return the last `lines` lines of a log, indented, or a note that there is none."""
    try:
        text = path.read_text(errors="replace")
    except FileNotFoundError:
        return "  (no log)"
    return "\n".join(f"  {line}" for line in text.splitlines()[-lines:]) or "  (the log is empty)"
