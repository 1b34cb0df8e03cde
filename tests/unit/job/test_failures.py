"""What Java says becomes a class, a line, and whether it is worth another attempt."""

from __future__ import annotations

import pytest
from featx_job.failures import of_java, of_unexpected

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


def test_what_nobody_foresaw_is_worth_another_attempt_and_is_one_line() -> None:
    failure = of_unexpected(KeyError("a\nb"))
    assert (failure.class_, failure.retryable) == ("Internal", True)
    assert "\n" not in str(failure)
