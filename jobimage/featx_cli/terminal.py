"""What reaches the terminal: Featx's own lines, in which nothing from elsewhere can steer it.

Messages, keys and statuses come from stores, tables and images' names. Their control characters are shown escaped.

Keeps the output of Spark, BigDL and their native libraries off the terminal, and in a log for whoever needs it.

A JVM inherits the process's standard output, and some native code writes there directly, past all logging settings. So
the file descriptors themselves are redirected to a log; a duplicate of the terminal stays for Featx's own output.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

STANDARD = (1, 2)
# Control characters, invisible ones that reorder text, lone surrogates, and separators that some terminals obey.
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def printable(text: object) -> str:
    """Return text in one line, with every character escaped that a terminal may obey instead of showing it."""
    return "".join(_escaped(character) for character in str(text))


def _escaped(character: str) -> str:
    hidden = unicodedata.category(character) in HIDDEN
    return character.encode("unicode_escape").decode() if hidden else character


def write(text: object, file: TextIO | None = None) -> None:
    """Print lines.

    Args:
        text: The lines.
        file: Where to; defaults to standard output.
    """
    print(*map(printable, str(text).split("\n")), sep="\n", file=file or sys.stdout)


def show(console: Console, text: object) -> None:
    """Print a line as it is, without rich's markup.

    Args:
        console: Of the run.
        text: The line.
    """
    console.print(printable(text), markup=False, highlight=False, soft_wrap=True)


def cells(row: Iterable[Any]) -> list[Any]:
    """Return the cells of a CSV row: as they are for another program, printable for a terminal."""
    if not sys.stdout.isatty():
        return list(row)
    return [printable(cell) if isinstance(cell, str) else cell for cell in row]


@contextmanager
def redirected_to(log: Path) -> Iterator[TextIO]:
    """Redirects standard output and standard error to a file while the block runs.

    Args:
        log: The file; what it holds stays.

    Yields:
        The original standard output.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    originals = [os.dup(descriptor) for descriptor in STANDARD]
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
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
