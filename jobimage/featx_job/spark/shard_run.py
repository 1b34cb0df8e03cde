"""Shards that executors process: handed to Spark in stages, whose results are taken as they come."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

from featx_api.executor_contract import ShardResult

from featx_job.spark.java_job import JavaJob, NetPaths

Write = Callable[[str, Iterable[str]], str]
Explain = Callable[[BaseException], Exception]


class ShardRun:
    """The shards of one attempt that Spark works on.

    Attributes:
        outstanding: How many shards were submitted and are not finished.
    """

    def __init__(self, job: JavaJob, nets: NetPaths, write: Write, explain: Explain) -> None:
        """Begin without shards.

        Args:
            job: Spark's side.
            nets: The run's nets.
            write: Writes lines to a file of this name for the JVM; returns its path.
            explain: Turns what a call of Java raises into the run's failure.
        """
        self._job, self._nets, self._write, self._explain = job, nets, write, explain
        self.outstanding = 0
        self._stages = self._running = 0
        self._problem: BaseException | None = None
        self._changed = threading.Condition()

    @property
    def is_running(self) -> bool:
        """Whether a stage has not ended, or results of one that has were not taken."""
        return self._running > 0 or self.outstanding > 0

    def submit(self, lines: Iterable[str], count: int) -> None:
        """Hand a stage to Spark, which begins it when the one before leaves cores free.

        Args:
            lines: Its shards.
            count: Their number.
        """
        path = self._write(f"shards-{self._stages}.jsonl", lines)
        self._stages, self.outstanding = self._stages + 1, self.outstanding + count
        with self._changed:
            self._running += 1
        threading.Thread(target=self._run, args=(path,), daemon=True, name="spark-stage").start()

    def _run(self, path: str) -> None:
        try:
            self._job.run(path, self._nets)
        except BaseException as error:  # passed on to the thread that waits
            with self._changed:
                self._problem = self._problem or error
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Wait until a stage ends, but no longer than this.

        Raises:
            RunFailure: Spark gave up, or an executor reported why it can't continue.
        """
        with self._changed:
            running = self._running
            self._changed.wait_for(lambda: self._running < running or self._problem is not None, seconds)
            problem = self._problem
        if problem is not None:
            raise self._explain(problem) from None

    def finished(self) -> Iterator[ShardResult]:
        """Yield the shards that are done and were not returned before."""
        ended = self._running == 0
        while shards := self._job.poll():
            self.outstanding -= len(shards)
            yield from shards
        if ended:
            self.outstanding = 0

    def waiting(self) -> str | None:
        """Return what an executor waits for, or None."""
        return self._job.waiting()
