"""Runs shards on Spark: starts it, hands files to executors, and reports shards as they are done."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from featx_api.contract import JobSpec
from featx_api.executor_contract import (
    Comparison,
    Observation,
    ReadResult,
    ReplacementResult,
    ReplacementTask,
    part_file,
)
from featx_api.failures import FailureClass
from featx_api.group_contract import GroupResult, GroupTask
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import SparkContext

from featx_job import failures
from featx_job.clients import java
from featx_job.environment import Environment
from featx_job.failures import RunFailure
from featx_job.models.fetch import NetFiles
from featx_job.nets.protobuf_wire import Parts
from featx_job.source.shard_list import ShardList
from featx_job.spark import settings
from featx_job.spark.executors import Executors
from featx_job.spark.java_job import JavaJob, NetPaths
from featx_job.spark.memory import Sizes
from featx_job.spark.shard_run import ShardRun
from featx_job.spark.task_settings import task_settings
from featx_job.table.output import OutputFolders

LOG = logging.getLogger(__name__)
T = TypeVar("T")

POLL_SECONDS = 0.2
SAMPLES = 8  # twice as many objects decide whether a refusal is one object's or the source's

OnWait = Callable[[], None]


class Session:
    """A Spark context with Featx's jars. A context manager, so that executors end with it."""

    def __init__(
        self,
        job: JobSpec,
        environment: Environment,
        sizes: Sizes,
        conf: settings.Conf,
        executors: int | None = None,
    ) -> None:
        """Prepare; Spark starts when the block is entered.

        Args:
            job: The run.
            environment: Where it runs.
            sizes: Memory, batch and streams of an executor.
            conf: Spark's settings.
            executors: How many to start with, instead of what the settings say.
        """
        self._job, self._environment, self._sizes = job, environment, sizes
        self._conf = conf | ({settings.INSTANCES: str(executors)} if executors else {})
        self._context: SparkContext | None = None
        self._executors: Executors | None = None
        self._writer = ThreadPoolExecutor(1)
        self._written: dict[str, tuple[NetFiles, Future[NetPaths]]] = {}

    def alone(self) -> Session:
        """Return a session without executors, for what the driver's own JVM can do."""
        return Session(self._job, self._environment, self._sizes, settings.without_executors(self._conf))

    def __enter__(self) -> Session:
        """Start Spark.

        Raises:
            RunFailure: It does not start.
        """
        with _starting():
            self._context = java.start_spark(self._conf)
        return self

    def prepare(self) -> None:
        """Start the JVM of a local run, which runs nets too, and prepare its engine while Spark starts.

        Raises:
            RunFailure: The JVM does not start.
        """
        preparation = settings.preparation(self._job, self._environment, self._sizes)
        if self._environment.cluster is None and preparation and not java.is_running():
            with _starting():
                java.start(self._conf)
                java.packages().nets.loading.Preparation.begin(preparation)

    def __exit__(self, *_: object) -> None:
        """Stop Spark and its executors."""
        if self._context is not None:
            self._context.stop()

    def keep_executors(self, count: int | None) -> None:
        """Have so many executors from now on; those that are too many finish the shards that they have begun.

        Args:
            count: Their number, or None to leave it to Spark.
        """
        if count is None:
            return
        assert self._context is not None
        if self._executors is None:
            self._executors = Executors(self._context, int(self._conf[settings.INSTANCES]))
        try:
            self._executors.keep(count)
        except (Py4JError, OSError) as error:  # the run reports it, if it can't go on
            LOG.warning("the number of executors can't be changed: %s", _words(error))

    def write_empty(self, folders: OutputFolders) -> None:
        """Write a file without rows, in which readers of an empty table find its columns.

        Raises:
            RunFailure: The output can't be written to.
        """
        try:
            self._java_job(folders).write_empty(f"{folders.features}/{part_file(0)}")
        except Py4JJavaError as error:
            raise _failure(error) from None

    def shard_run(self, shards: ShardList, files: NetFiles, folders: OutputFolders) -> ShardRun:
        """Return what processes shards.

        Args:
            shards: All shards of the run.
            files: The run's nets.
            folders: Where executors write.
        """
        java_job = self._java_job(folders, shards.samples(SAMPLES))
        return ShardRun(java_job, self.write_nets(files).result(), self._write_lines, _failure)

    def join(self, tasks: list[GroupTask], folders: OutputFolders) -> list[GroupResult]:
        """Have executors join files of shards.

        Args:
            tasks: The files.
            folders: Where executors write.

        Raises:
            RunFailure: As `replace`.
        """
        java_job = self._java_job(folders)
        lines = self._write_lines("joined.jsonl", (task.to_json() for task in tasks))
        return _waiting(lambda: java_job.join(lines), _ignore_progress)

    def replace(self, tasks: list[ReplacementTask], folders: OutputFolders) -> list[ReplacementResult]:
        """Have executors rewrite files of a table without rows that newer files have.

        Args:
            tasks: The files.
            folders: Where executors write.

        Raises:
            RunFailure: Spark gave up, or an executor reported why it can't continue.
        """
        java_job = self._java_job(folders)
        lines = self._write_lines("replaced.jsonl", (task.to_json() for task in tasks))
        return _waiting(lambda: java_job.replace(lines), _ignore_progress)

    def read(self, shards: ShardList) -> ReadResult:
        """Read all shards without running nets.

        Args:
            shards: The shards to read.

        Raises:
            RunFailure: As `replace`.
        """
        java_job = self._java_job(None, shards.samples(SAMPLES))
        lines = self._write_lines("shards.jsonl", map(shards.line, range(len(shards))))
        return _waiting(lambda: java_job.read(lines), _ignore_progress)

    def observe_ranges(self, images: str, watched: NetFiles, on_wait: OnWait) -> Observation:
        """Return the values that the nets' layers take on images.

        Args:
            images: A shard's line.
            watched: Nets whose outputs include all values.
            on_wait: Called now and then.

        Raises:
            RunFailure: As `replace`.
        """
        java_job, line = self._java_job(None, (images,)), self._write_lines("observed.jsonl", (images,))
        nets = self.write_nets(watched, "watched").result()
        return _waiting(lambda: java_job.observe(line, nets), on_wait)

    def compare(self, images: str, watched: NetFiles, files: NetFiles, on_wait: OnWait) -> Comparison:
        """Return how far nets are from what they compute in float32.

        Args:
            images: A shard's line.
            watched: The nets in float32.
            files: The nets to judge.
            on_wait: Called now and then.

        Raises:
            RunFailure: As `replace`.
        """
        java_job, line = self._java_job(None, (images,)), self._write_lines("compared.jsonl", (images,))
        plain, judged = self.write_nets(watched, "watched").result(), self.write_nets(files).result()
        return _waiting(lambda: java_job.compare(line, plain, judged), on_wait)

    def write_nets(self, files: NetFiles, name: str = "run") -> Future[NetPaths]:
        """Begin to write network files for the JVM, each once: it may still be reading an earlier one.

        Args:
            files: The nets.
            name: Prefix of the files' names.

        Returns:
            The files, once they are written.
        """
        if self._written.get(name, (None,))[0] is not files:
            self._written[name] = files, self._writer.submit(self._write_both, files, name)
        return self._written[name][1]

    def _write_both(self, files: NetFiles, name: str) -> NetPaths:
        detector = self._write(f"{name}-detector.net", files.detector) if files.detector else None
        return NetPaths(detector, self._write(f"{name}-extractor.net", files.extractor))

    def _write_lines(self, name: str, lines: Iterable[str]) -> str:
        return self._write(name, ("\n".join(lines).encode(),))

    def _write(self, name: str, parts: Parts) -> str:
        work = self._environment.work
        work.mkdir(parents=True, exist_ok=True)
        with (work / name).open("wb") as file:
            file.writelines(parts)
        return str(work / name)

    def _java_job(self, folders: OutputFolders | None, samples: Iterable[str] = ()) -> JavaJob:
        assert self._context is not None
        cores = settings.threads(self._job, self._environment)
        hosts = self._environment.url_hosts
        return JavaJob(self._context, task_settings(self._job.spec, self._sizes, cores, folders, samples, hosts))


@contextmanager
def _starting() -> Iterator[None]:
    """Report whatever keeps Spark from starting as a failure of the run."""
    try:
        yield
    except (Py4JError, RuntimeError) as error:
        failure = _failure(error)
        if failure.class_ is FailureClass.EXECUTOR_LOST:
            raise failure from None
        why = _words(error) if failure.class_ is FailureClass.INTERNAL else failure
        raise RunFailure(FailureClass.SPARK_NOT_STARTED, f"Spark did not start: {why}") from None


def _words(error: Exception) -> str:
    """Return the text of Spark's own exception. By then only settings were read, which the resource holds."""
    text = error.java_exception.toString() if isinstance(error, Py4JJavaError) else error
    return " ".join(str(text).split())[:500]


def _ignore_progress() -> None:
    """Does nothing."""


def _waiting(call: Callable[[], T], on_wait: OnWait) -> T:
    """Return the result of a job's call, which may take hours; `on_wait` is called meanwhile."""
    results: list[T] = []
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
        raise _failure(problems[0]) from None
    return results[0]


def _failure(problem: BaseException) -> RunFailure:
    if isinstance(problem, Py4JJavaError):
        try:
            return failures.from_java(java.packages(), problem.java_exception)
        except (Py4JError, OSError) as error:  # the JVM has exited in the meantime
            problem = error
    if isinstance(problem, Py4JError | OSError):
        return RunFailure(
            FailureClass.JVM_LOST, f"the driver's JVM exited ({problem}); raise spec.execution.driverMemory"
        )
    return failures.from_exception(problem)
