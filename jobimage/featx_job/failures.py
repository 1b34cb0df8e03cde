"""Why a run fails, in the one form that reaches its owner.

A class for programs, a line for people, and whether it is worth another attempt.
"""

from __future__ import annotations

import errno

from featx_api.status import Failure


class RunFailure(Exception):
    """The run, or this attempt of it, can't go on.

    Attributes:
        class_: CamelCase, for programs.
        retryable: Whether a further attempt may succeed without anybody changing something.
    """

    def __init__(self, class_: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.class_ = class_
        self.retryable = retryable

    def to_status(self) -> Failure:
        """Returns what the resource's status shows."""
        words = str(self).encode(errors="replace").decode()  # a file's name need not be text
        return Failure(class_=self.class_, message=words[:2000])


def of_unexpected(error: BaseException) -> RunFailure:
    """Returns the failure for what nobody foresaw: worth another attempt, and named so that it can be reported."""
    words = " ".join(str(error).split())[:500]
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RunFailure("OutputFull", f"there is no space left: {words}", retryable=True)
    return RunFailure("Internal", f"{type(error).__name__}: {words}", retryable=True)


# What Java says, searched for in the whole chain of causes, most telling first.
_OF_JAVA = (
    ("PrecisionUnsupported", "PrecisionUnsupported", "an executor's node can't compute as asked"),
    ("delta.kernel.exceptions.TableNotFound", "SourceNotFound", "there is no Delta table"),
    ("TableNotFoundException", "SourceNotFound", "HBase has no such table"),
    ("SnapshotDoesNotExistException", "SourceNotFound", "HBase has no such snapshot"),
    ("NoSuchColumnFamilyException", "SourceNotFound", "the table has no such column family"),
    ("UnsupportedSource", "SourceNotSupported", "the source is not what spec.source.packed says"),
    ("OutOfMemoryError", "OutOfMemory", "an executor ran out of memory: raise spec.execution.memory"),
    ("AccessDenied", "AccessDenied", "the store refused an executor: check what the Secret's user may do"),
    (
        "AccessControlException",
        "AccessDenied",
        "HDFS refused: check whose files these are, and spec.execution.hadoopUser",
    ),
    ("KerberosAuthException", "AccessDenied", "Kerberos refused: check spec.execution.kerberos and its Secret"),
    ("ModelError", "ModelInvalid", "the engine can't run the model"),
    ("the store did not answer", "StoreUnreachable", "a store did not answer an executor"),
    ("UnknownHost", "StoreUnreachable", "the store's name can't be resolved by an executor"),
    ("ConnectException", "StoreUnreachable", "the store did not answer an executor"),
    ("SdkClientException", "StoreUnreachable", "the store did not answer an executor"),
    ("NoRouteToHost", "StoreUnreachable", "the store did not answer an executor"),
    ("SocketTimeoutException", "StoreUnreachable", "the store did not answer in time"),
    ("RetriesExhausted", "StoreUnreachable", "HBase did not answer"),
    ("Zookeeper LIST could not", "StoreUnreachable", "HBase's ZooKeeper did not answer"),
    ("HBase at ", "StoreUnreachable", "HBase did not answer"),
    ("SafeModeException", "StoreUnreachable", "HDFS takes no files yet"),
    ("could only be written to 0 of", "StoreUnreachable", "HDFS has no DataNode that takes files"),
    ("EOFException: End of File Exception between", "StoreUnreachable", "HDFS broke off"),
    ("QuotaExceededException", "OutputFull", "the output's quota is used up"),
    ("No space left", "OutputFull", "the output has no space left"),
)
SHUT_DOWN = "SparkContext was shut down"  # as Spark does when executors fail faster than it starts them
STOPPED_EARLY = "Spark context stopped while waiting for backend"  # the same before it has begun
_PERMANENT = {"AccessDenied", "ModelInvalid", "PrecisionUnsupported", "SourceNotFound", "SourceNotSupported"}


def of_lost_executors(reason: str | None) -> RunFailure:
    """Returns the failure of a run that Spark gave up because executors ended again and again.

    Args:
        reason: Why the last one did, in Spark's words, if they are known.
    """
    hint = ": raise spec.execution.memory if it was its memory" if "137" in (reason or "") else ""
    last = f" (the last one: {reason[:300]})" if reason else ""
    return RunFailure("ExecutorLost", f"executors ended again and again{last}{hint}", retryable=True)


def of_java(text: str) -> RunFailure:
    """Returns the failure that a Java exception's text tells of.

    Args:
        text: The exception with its causes, as py4j gives it.
    """
    first = next((line for line in text.splitlines() if "Exception" in line or "Error" in line), text[:300])
    for sign, class_, message in _OF_JAVA:
        if sign in text:
            lines = [line.strip() for line in text.splitlines() if sign in line]
            # The cause itself, rather than the first line, in which Spark tells the story of the task.
            line = next((line for line in lines if line.startswith("Caused by: ")), lines[0]).removeprefix(
                "Caused by: "
            )
            return RunFailure(class_, f"{message} ({line[:300]})", retryable=class_ not in _PERMANENT)
    if "executor" in text.lower() and "exited" in text.lower():
        return RunFailure(
            "ExecutorLost", f"executors were lost again and again ({first.strip()[:300]})", retryable=True
        )
    return RunFailure("Internal", first.strip()[:500], retryable=True)
