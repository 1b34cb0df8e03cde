"""What the driver asks of HDFS and HBase: by the JVM that runs Spark afterwards, since their clients are Java's.

A run on other stores starts no JVM for this. Calls that can succeed later are made again for a while, as
`stores.asking` does for S3.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from py4j.protocol import Py4JJavaError

from featx_job import failures
from featx_job.clients import java
from featx_job.failures import RunFailure

T = TypeVar("T")

FIRST_PAUSE = 0.5
PREFIX = "spark.hadoop."


class Hadoop:
    """Hadoop's file systems and HBase, with a run's settings."""

    def __init__(self, conf: Callable[[], dict[str, str]], patience: float) -> None:
        """Prepares; the JVM starts when something is asked.

        Args:
            conf: Returns Spark's settings, with which the JVM is started.
            patience: Seconds to wait for a server that does not answer.
        """
        self._conf, self._patience = conf, patience

    def folder(self, uri: str) -> Any:
        """Returns a folder (dev.featx.source.HadoopFolder)."""
        return self._java().source.HadoopFolder(uri, self._settings())

    def delta_table(self, uri: str) -> Any:
        """Returns a Delta Lake table (dev.featx.table.DeltaTable)."""
        return self._java().table.DeltaTable(uri, self._settings())

    def table(self, source: str) -> Any:
        """Returns a table of HBase (dev.featx.source.HBaseRegions) by the JSON of `HBaseTable`."""
        return self._java().source.HBaseRegions(source, self._settings())

    def asking(self, field: str, call: Callable[[], T]) -> T:
        """Returns what a call returns, after waiting for the server if need be.

        Args:
            field: Where in the spec the server stands, for messages.
            call: The call; it may be made several times.

        Raises:
            RunFailure: StoreUnreachable (worth another attempt), or why it is refused.
        """
        started, pause = time.monotonic(), FIRST_PAUSE
        while True:
            try:
                return call()
            except Py4JJavaError as error:
                failure = failures.from_java(java.packages(), error.java_exception)
            if not failure.retryable or time.monotonic() - started + pause > self._patience:
                raise RunFailure(failure.class_, f"{field}: {failure}")
            time.sleep(pause)
            pause = min(pause * 2, 10)

    def _settings(self) -> dict[str, str]:
        return {key.removeprefix(PREFIX): value for key, value in self._conf().items() if key.startswith(PREFIX)}

    def _java(self) -> Any:
        java.start(self._conf())
        return java.packages()
