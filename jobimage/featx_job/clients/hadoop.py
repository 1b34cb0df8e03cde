"""The driver's client for HDFS and HBase. It uses the JVM that later runs Spark, since their libraries are Java's.

A run on other stores starts no JVM for this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from py4j.protocol import Py4JJavaError

from featx_job import failures
from featx_job.clients import java
from featx_job.clients.retry import with_retry
from featx_job.failures import RunFailure

T = TypeVar("T")

PREFIX = "spark.hadoop."


class Hadoop:
    """Hadoop's file systems and HBase, with a run's settings."""

    def __init__(self, conf: Callable[[], dict[str, str]], patience: float) -> None:
        """Prepare; the JVM starts with the first call.

        Args:
            conf: Returns the Spark settings to start the JVM with.
            patience: Seconds to wait for an unresponsive server.
        """
        self._conf, self._patience = conf, patience

    def folder(self, uri: str) -> Any:
        """A folder (dev.featx.source.HadoopFolder)."""
        return self._java().source.HadoopFolder(uri, self._settings())

    def delta_table(self, uri: str) -> Any:
        """A Delta Lake table (dev.featx.table.DeltaTable)."""
        return self._java().table.DeltaTable(uri, self._settings())

    def packed_files(self) -> Any:
        """Files that hold many images (dev.featx.source.PackedFiles)."""
        return self._java().source.PackedFiles(self._settings())

    def table(self, source: str) -> Any:
        """An HBase table (dev.featx.source.HBaseRegions), from the JSON of `HBaseTable`."""
        return self._java().source.HBaseRegions(source, self._settings())

    def with_retry(self, field: str, call: Callable[[], T]) -> T:
        """Call a server, and call it again while its failure may pass.

        Args:
            field: Names the server in the spec, for messages.
            call: May be called several times.

        Raises:
            RunFailure: StoreUnreachable (retryable), or the reason for a refusal.
        """

        def explain(error: Exception) -> RunFailure | None:
            if not isinstance(error, Py4JJavaError):
                return None
            failure = failures.from_java(java.packages(), error.java_exception)
            return RunFailure(failure.class_, f"{field}: {failure}")

        return with_retry(call, explain, self._patience)

    def _settings(self) -> dict[str, str]:
        return {key.removeprefix(PREFIX): value for key, value in self._conf().items() if key.startswith(PREFIX)}

    def _java(self) -> Any:
        java.start(self._conf())
        return java.packages()
