"""The one exception of this package: a model that can't be used, told so that its owner can mend it."""

from __future__ import annotations


class ModelError(Exception):
    """A model can't be used. The message is one line and names the file's part, the value and what is possible."""
