"""The only exception of this package: a model that can't be used, in words that let its owner fix it."""

from __future__ import annotations


class ModelError(Exception):
    """A model can't be used. The message is one line that names the part, the value and what is possible."""
