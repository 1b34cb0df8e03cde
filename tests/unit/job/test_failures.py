"""What Java says becomes a class, a line, and whether it is worth another attempt."""

from __future__ import annotations

import errno

import pytest
from featx_job.failures import of_java, of_lost_executors, of_unexpected

SPARK = "org.apache.spark.SparkException: Job aborted due to stage failure: Task 1 in stage 0.0 failed 4 times\n"


@pytest.mark.parametrize(
    ("cause", "class_", "retryable"),
    [
        ("Caused by: java.lang.OutOfMemoryError: Java heap space", "OutOfMemory", True),
        ("Caused by: java.nio.file.AccessDeniedException: s3a://a/b: Forbidden", "AccessDenied", False),
        (
            "Caused by: java.io.IOException: the store did not answer for 120 s: reading s3a://a/b",
            "StoreUnreachable",
            True,
        ),
        ("Caused by: java.net.ConnectException: Connection refused", "StoreUnreachable", True),
        ("Caused by: java.io.IOException: No space left on device", "OutputFull", True),
        ("ExecutorLostFailure (executor 1 exited caused by one of the running tasks)", "ExecutorLost", True),
        ("Caused by: java.lang.IllegalStateException: surprise", "Internal", True),
    ],
)
def test_a_java_exception_is_told_by_its_most_telling_cause(cause: str, class_: str, retryable: bool) -> None:
    failure = of_java(SPARK + cause)
    assert (failure.class_, failure.retryable) == (class_, retryable)
    assert "\n" not in str(failure)


def test_a_run_whose_executors_end_again_and_again_says_why_the_last_one_did() -> None:
    failure = of_lost_executors("The executor with id 4 exited with exit code 137(SIGKILL, possible container OOM).")
    assert (failure.class_, failure.retryable) == ("ExecutorLost", True)
    assert "exit code 137" in str(failure)
    assert "spec.execution.memory" in str(failure)
    assert "memory" not in str(of_lost_executors("exit code 1"))


def test_what_nobody_foresaw_is_worth_another_attempt_and_is_one_line() -> None:
    failure = of_unexpected(KeyError("a\nb"))
    assert (failure.class_, failure.retryable) == ("Internal", True)
    assert "\n" not in str(failure)


def test_a_disk_that_is_full_is_told_from_what_nobody_foresaw() -> None:
    full = of_unexpected(OSError(errno.ENOSPC, "No space left on device", "/volume/table"))
    assert (full.class_, full.retryable) == ("OutputFull", True)
    assert "/volume/table" in str(full)
