"""Why a run fails, in the one form that reaches its owner: a class of the registry, and a line for people."""

from __future__ import annotations

import errno
import json
import traceback
from pathlib import Path
from typing import Any

from featx_api.failures import FailureClass
from featx_api.status import Failure

#: How messages name the log, which on a user's machine is a file.
DRIVER_LOG = "the driver's log"


class RunFailure(Exception):
    """The run, or this attempt of it, cannot continue.

    Attributes:
        class_: What kind of failure it is, which decides on a retry.
    """

    def __init__(self, class_: FailureClass, message: str) -> None:
        super().__init__(message)
        self.class_ = class_

    @property
    def retryable(self) -> bool:
        """Whether another attempt may succeed without anybody changing something."""
        return self.class_.retryable

    def to_status(self) -> Failure:
        """Return the form that the resource's status shows."""
        words = str(self).encode(errors="replace").decode()  # a file's name need not be text
        return Failure(class_=self.class_, message=words[:2000])


def from_exception(error: BaseException) -> RunFailure:
    """Return the failure for an exception that nobody foresaw.

    Its text stays out: libraries quote what they read, and a status has more readers than a run's files.
    """
    reason = error.strerror if isinstance(error, OSError) else None
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RunFailure(FailureClass.OUTPUT_FULL, f"no space left: {error.filename or reason}")
    message = f"{type(error).__name__}{f' ({reason})' if reason else ''}{_place(error)}; see {DRIVER_LOG}"
    return RunFailure(FailureClass.INTERNAL, message)


def trace(error: BaseException) -> str:
    """Return where an exception was raised, for a log: without its text, for the same reason."""
    return f"{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))}"


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" in {frames[-1].name}, {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def from_java(packages: Any, thrown: Any) -> RunFailure:
    """Return the failure that a Java exception amounts to, by its class and those of its causes.

    Args:
        packages: dev.featx in the driver's JVM.
        thrown: The exception object (py4j's `java_exception`).
    """
    described = json.loads(packages.failure.Failures.describe(thrown))
    class_ = FailureClass.named(described["class"])
    return RunFailure(class_ or FailureClass.INTERNAL, described["message"])
