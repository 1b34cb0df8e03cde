"""The one exception of the command line: what a person can put right, in one line."""

from __future__ import annotations


class CommandError(Exception):
    """A command cannot go on; the message names what is wrong and the way out. Printed without a traceback."""
