"""Why a run fails, in the one form that reaches its owner: a class of the registry, and a line for people."""

from __future__ import annotations

import errno
import json
from typing import Any

from featx_api.failures import FailureClass
from featx_api.status import Failure


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
    """Return the failure for an exception that nobody foresaw."""
    words = " ".join(str(error).split())[:500]
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RunFailure(FailureClass.OUTPUT_FULL, f"no space left: {words}")
    return RunFailure(FailureClass.INTERNAL, f"{type(error).__name__}: {words}")


def from_java(packages: Any, thrown: Any) -> RunFailure:
    """Return the failure that a Java exception amounts to, by its class and those of its causes.

    Args:
        packages: dev.featx in the driver's JVM.
        thrown: The exception object (py4j's `java_exception`).
    """
    described = json.loads(packages.failure.Failures.describe(thrown))
    class_ = FailureClass.named(described["class"])
    return RunFailure(class_ or FailureClass.INTERNAL, described["message"])
