"""The one exception of the command line: something that the user can fix."""

from __future__ import annotations


class CommandError(Exception):
    """A command can't continue. The message says what is wrong and how to fix it; it is printed without a traceback."""
