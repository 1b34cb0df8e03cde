"""Runs shards on Spark: starts the JVM, hands over files, and passes on what is done while it is done."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from featx_api.job import JobSpec
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import SparkConf, SparkContext

from featx_job import failures, spark
from featx_job.failures import RunFailure
from featx_job.models import Nets
from featx_job.progress import ShardDone
from featx_job.shards import ShardList
from featx_job.surroundings import Surroundings
from featx_job.table import Table

BATCH = 8  # pictures a forward: 97% of what 32 reach, at a quarter of the memory
POLL_SECONDS = 0.2


class Engine:
    """A Spark context with Featx's jars; a context manager, so that executors end with it."""

    def __init__(self, job: JobSpec, surroundings: Surroundings, *, alone: bool = False) -> None:
        """Prepares; Spark starts when the block is entered.

        Args:
            job: The run.
            surroundings: Where it runs.
            alone: Whether to ask for no executors, for what the driver's own JVM can do.
        """
        self._job, self._surroundings, self._alone = job, surroundings, alone
        self._context: SparkContext | None = None

    def __enter__(self) -> Engine:
        """Starts Spark.

        Raises:
            RunFailure: It does not start.
        """
        settings = SparkConf(loadDefaults=False)
        settings.setAll(list(spark.conf(self._job, self._surroundings).items()))
        if self._alone:
            settings.set("spark.master", "local[1]").set("spark.task.cpus", "1")
        try:
            self._context = SparkContext(conf=settings)
        except (Py4JError, RuntimeError) as error:
            raise RunFailure("SparkNotStarted", f"Spark did not start: {str(error)[:500]}", retryable=True) from None
        return self

    def __exit__(self, *_: object) -> None:
        """Stops Spark and its executors."""
        if self._context is not None:
            self._context.stop()

    def write_empty(self, table: Table) -> None:
        """Writes the file of a table without rows, so that readers find its columns.

        Raises:
            RunFailure: The output can't be written to.
        """
        try:
            self._java_job().writeEmpty(f"{table.folder('features')}/part-00000.parquet")
        except Py4JJavaError as error:
            raise failures.of_java(str(error)) from None

    def run(
        self,
        shards: ShardList,
        indices: list[int],
        nets: Nets,
        table: Table,
        on_done: Callable[[ShardDone | None], None],
    ) -> None:
        """Runs shards until all are done.

        Args:
            shards: All shards of the run.
            indices: Those to run.
            nets: The run's nets.
            table: Where executors write.
            on_done: Called for each shard that is done, and with None now and then while none is.

        Raises:
            RunFailure: Spark gave up, or an executor said why it can't go on.
        """
        work = self._surroundings.work
        work.mkdir(parents=True, exist_ok=True)
        (work / "shards.jsonl").write_text("\n".join(shards.line(index) for index in indices))
        detector = _write(work / "detector.net", nets.detector.data) if nets.detector else None
        extractor = _write(work / "extractor.net", nets.extractor.data)
        java_job, ended = self._java_job(), threading.Event()
        problems: list[BaseException] = []

        def call() -> None:
            try:
                java_job.run(json.dumps(self._plan(table)), str(work / "shards.jsonl"), detector, extractor)
            except BaseException as error:  # passed on to the thread that waits
                problems.append(error)
            finally:
                ended.set()

        threading.Thread(target=call, daemon=True, name="spark-job").start()
        while True:
            over = ended.is_set()
            while (text := java_job.poll()) is not None:
                on_done(ShardDone.of_mark(json.loads(text)))
            if over:
                break
            on_done(None)
            time.sleep(POLL_SECONDS)
        if problems:
            raise _failure(problems[0]) from None

    def _java_job(self) -> Any:
        assert self._context is not None
        jvm: Any = self._context._jvm  # pyspark has no public way to the JVM
        return jvm.dev.featx.pipeline.Job(self._context._jsc)

    def _plan(self, table: Table) -> dict[str, Any]:
        """Returns what executors are told (dev.featx.pipeline.Plan)."""
        spec, cores = self._job.spec, spark.threads(self._job, self._surroundings)
        return {
            "detector": spec.detector.to_wire() if spec.detector else None,
            "extractor": spec.extractor.to_wire(),
            "maxPixels": spec.limits.megapixels * 1_000_000,
            "maxBytes": spec.limits.mebibytes * 1024 * 1024,
            "featuresFolder": table.folder("features"),
            "quarantineFolder": table.folder("quarantine"),
            "doneFolder": table.folder("done"),
            "engine": spec.engine,
            "precision": spec.precision,
            "batch": BATCH,
            "cores": cores,
            "shardsAtOnce": spark.shards_at_once(spec, cores),
        }


def _write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def _failure(problem: BaseException) -> RunFailure:
    if isinstance(problem, Py4JJavaError):
        return failures.of_java(str(problem))
    if isinstance(problem, Py4JError | OSError):
        return RunFailure(
            "DriverLost", f"the driver's JVM ended ({problem}): raise spec.execution.driverMemory", retryable=True
        )
    return failures.of_unexpected(problem)
