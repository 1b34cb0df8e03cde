"""Waiting for the cluster to reach a state, without a fixed sleep."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 60.0

Result = TypeVar("Result")


def eventually(check: Callable[[], Result], expected: str = "", patience: float = PATIENCE) -> Result:
    """Repeats a check until its result is true, and returns it.

    Args:
        check: What to repeat.
        expected: What is waited for, for the message.
        patience: Seconds.

    Raises:
        AssertionError: It did not happen in time.
    """
    deadline = time.monotonic() + patience
    while not (result := check()):
        assert time.monotonic() < deadline, f"not within {patience:.0f} s: {expected or check.__doc__ or 'the check'}"
        time.sleep(0.1)
    return result
