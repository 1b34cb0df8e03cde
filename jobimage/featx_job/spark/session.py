"""Runs shards on Spark: starts the JVM, hands over files, and passes on what is done while it is done."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from featx_api.contract import JobSpec
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import SparkConf, SparkContext

from featx_job import failures
from featx_job.environment import Environment
from featx_job.failures import RunFailure
from featx_job.models.fetch import NetFiles
from featx_job.nets.protobuf_wire import Parts
from featx_job.source import hbase
from featx_job.source.shards import ShardList
from featx_job.spark import settings
from featx_job.spark.memory import Sizes
from featx_job.table.parquet_table import Table
from featx_job.table.shard_result import ShardResult

POLL_SECONDS = 0.2

OnDone = Callable[[ShardResult | None, str | None], None]
OnWait = Callable[[], None]


class Session:
    """A Spark context with Featx's jars; a context manager, so that executors end with it."""

    def __init__(self, job: JobSpec, environment: Environment, sizes: Sizes, conf: settings.Conf) -> None:
        """Prepares; Spark starts when the block is entered.

        Args:
            job: The run.
            environment: Where it runs.
            sizes: What an executor needs.
            conf: Spark's settings.
        """
        self._job, self._environment, self._sizes, self._conf = job, environment, sizes, conf
        self._context: SparkContext | None = None
        self._writer = ThreadPoolExecutor(1)
        self._written: dict[str, tuple[NetFiles, Future[tuple[str | None, str]]]] = {}

    def alone(self) -> Session:
        """Returns the same without executors, for what the driver's own JVM can do."""
        self._conf = self._conf | {"spark.master": "local[1]", "spark.task.cpus": "1"}
        return self

    def __enter__(self) -> Session:
        """Starts Spark.

        Raises:
            RunFailure: It does not start.
        """
        with _starting():
            self._context = SparkContext(conf=self._settings())
        return self

    def prepare(self) -> None:
        """Starts the JVM of a local run, which runs nets too, and has it get the engine ready while Spark starts.

        Raises:
            RunFailure: The JVM does not start.
        """
        told = settings.preparation(self._job, self._environment, self._sizes)
        if self._environment.cluster is None and told and SparkContext._gateway is None:
            with _starting():
                SparkContext._ensure_initialized(conf=self._settings())
                jvm: Any = SparkContext._jvm
                jvm.dev.featx.nets.loading.Preparation.begin(told)

    def _settings(self) -> SparkConf:
        return SparkConf(loadDefaults=False).setAll(list(self._conf.items()))

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

    def run(self, shards: ShardList, indices: list[int], files: NetFiles, table: Table, on_done: OnDone) -> None:
        """Runs shards until all are done.

        Args:
            shards: All shards of the run.
            indices: Those to run.
            files: The run's nets.
            table: Where executors write.
            on_done: Called for each shard that is done, and with None now and then while none is; and with what
                executors wait for, if they do.

        Raises:
            RunFailure: Spark gave up, or an executor said why it can't go on.
        """
        java_job, plan = self._java_job(), self._plan(table)
        lines = self._write("shards.jsonl", ("\n".join(shards.line(index) for index in indices).encode(),))
        nets = self.write_nets(files).result()

        def report() -> None:
            while (text := java_job.poll()) is not None:
                on_done(ShardResult.from_mark(json.loads(text)), None)
            on_done(None, java_job.waiting())

        _waiting(java_job, lambda: java_job.run(plan, lines, *nets), report)

    def replace(self, files: list[dict[str, Any]], table: Table) -> list[dict[str, Any]]:
        """Has executors write files of a table anew, without rows that newer files have.

        Args:
            files: What is told of each (dev.featx.table.Replacement).
            table: The run's.

        Returns:
            What became of each.

        Raises:
            RunFailure: As `run`.
        """
        java_job, plan = self._java_job(), self._plan(table)
        lines = self._write("replaced.jsonl", ("\n".join(map(json.dumps, files)).encode(),))
        found: list[dict[str, Any]] = json.loads(
            _waiting(java_job, lambda: java_job.replace(plan, lines), lambda: None)
        )
        return found

    def read(self, shards: ShardList, table: Table) -> dict[str, Any]:
        """Reads all shards and does nothing with them; returns images, bytes, unreadable ones and seconds.

        Args:
            shards: Those to read.
            table: Where a run would write; nothing is written.

        Raises:
            RunFailure: As `run`.
        """
        java_job, plan = self._java_job(), self._plan(table)
        lines = self._write("shards.jsonl", ("\n".join(map(shards.line, range(len(shards)))).encode(),))
        found: dict[str, Any] = json.loads(_waiting(java_job, lambda: java_job.read(plan, lines), lambda: None))
        return found

    def look(self, images: str, watched: NetFiles, table: Table, on_wait: OnWait) -> dict[str, Any]:
        """Returns which values the nets' layers take on images (dev.featx.task.Calibration, look).

        Args:
            images: A shard's line.
            watched: Nets with all values as outputs.
            table: The run's.
            on_wait: Called now and then.

        Raises:
            RunFailure: As `run`.
        """
        java_job, plan, line = self._java_job(), self._plan(table), self._write("look.jsonl", (images.encode(),))
        nets = self.write_nets(watched, "watched").result()
        found: dict[str, Any] = json.loads(_waiting(java_job, lambda: java_job.look(plan, line, *nets), on_wait))
        return found

    def compare(self, images: str, watched: NetFiles, files: NetFiles, table: Table, on_wait: OnWait) -> dict[str, Any]:
        """Returns how far nets are from what they are in float32 (dev.featx.task.Calibration, compare).

        Args:
            images: A shard's line.
            watched: The nets in float32.
            files: The nets that are judged.
            table: The run's.
            on_wait: Called now and then.

        Raises:
            RunFailure: As `run`.
        """
        java_job, plan, line = self._java_job(), self._plan(table), self._write("compare.jsonl", (images.encode(),))
        nets = (*self.write_nets(watched, "watched").result(), *self.write_nets(files).result())
        found: dict[str, Any] = json.loads(_waiting(java_job, lambda: java_job.compare(plan, line, *nets), on_wait))
        return found

    def write_nets(self, files: NetFiles, name: str = "run") -> Future[tuple[str | None, str]]:
        """Begins to write network files for the JVM, each once: it may be reading what it was given before.

        Args:
            files: The nets.
            name: Of the files.

        Returns:
            Where they are, when they are there.
        """
        if self._written.get(name, (None,))[0] is not files:
            self._written[name] = files, self._writer.submit(self._write_both, files, name)
        return self._written[name][1]

    def _write_both(self, files: NetFiles, name: str) -> tuple[str | None, str]:
        detector = self._write(f"{name}-detector.net", files.detector) if files.detector else None
        return detector, self._write(f"{name}-extractor.net", files.extractor)

    def _write(self, name: str, parts: Parts) -> str:
        work = self._environment.work
        work.mkdir(parents=True, exist_ok=True)
        with (work / name).open("wb") as file:
            file.writelines(parts)
        return str(work / name)

    def _java_job(self) -> Any:
        assert self._context is not None
        jvm: Any = self._context._jvm  # pyspark has no public way to the JVM
        return jvm.dev.featx.spark.Job(self._context._jsc)

    def _plan(self, table: Table) -> str:
        """Returns what executors are told (dev.featx.task.TaskSettings)."""
        spec, cores = self._job.spec, settings.threads(self._job, self._environment)
        plan = {
            "detector": spec.detector.to_wire() if spec.detector else None,
            "extractor": spec.extractor.to_wire(),
            "maxPixels": spec.limits.megapixels * 1_000_000,
            "maxBytes": spec.limits.mebibytes * 1024 * 1024,
            "featuresFolder": table.folder("features"),
            "logged": table.logged,
            "quarantineFolder": table.folder("quarantine"),
            "doneFolder": table.folder("done"),
            "hbase": hbase.table_settings(spec.source.hbase, spec.output.uri) if spec.source.hbase else None,
            "patience": spec.execution.store_timeout_seconds,
            "engine": spec.engine,
            "precision": spec.precision,
            "batch": self._sizes.batch,
            "cores": cores,
            "streams": self._sizes.streams,
            "shardsAtOnce": settings.shards_at_once(self._sizes),
        }
        return json.dumps(plan)


@contextmanager
def _starting() -> Iterator[None]:
    """Says of what keeps Spark from starting what it is to a run."""
    try:
        yield
    except (Py4JError, RuntimeError) as error:
        if failures.STOPPED_EARLY in str(error):
            raise failures.of_lost_executors(None) from None
        raise RunFailure("SparkNotStarted", f"Spark did not start: {str(error)[:500]}", retryable=True) from None


def _waiting(java_job: Any, call: Callable[[], Any], on_wait: OnWait) -> Any:
    """Returns what a call of a job returns, which may take hours; meanwhile something else is called."""
    results: list[Any] = []
    problems: list[BaseException] = []
    ended = threading.Event()

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # passed on to the thread that waits
            problems.append(error)
        finally:
            ended.set()

    threading.Thread(target=run, daemon=True, name="spark-job").start()
    while not ended.wait(POLL_SECONDS):
        on_wait()
    on_wait()
    if problems:
        raise _failure(problems[0], java_job) from None
    return results[0]


def _failure(problem: BaseException, java_job: Any) -> RunFailure:
    if isinstance(problem, Py4JJavaError):
        text = str(problem)
        return failures.of_lost_executors(_lost(java_job)) if failures.SHUT_DOWN in text else failures.of_java(text)
    if isinstance(problem, Py4JError | OSError):
        return RunFailure(
            "DriverLost", f"the driver's JVM ended ({problem}): raise spec.execution.driverMemory", retryable=True
        )
    return failures.of_unexpected(problem)


def _lost(java_job: Any) -> str | None:
    try:
        return str(java_job.lost() or "") or None
    except Py4JError:  # its JVM is about to end
        return None
