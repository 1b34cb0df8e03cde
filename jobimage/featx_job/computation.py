"""Computes a run's shards: has executors process what is left, counts what they finish, and lets the table grow."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from featx_api.contract import JobSpec
from featx_api.executor_contract import ReplacementResult, ReplacementTask
from featx_api.failures import FailureClass
from featx_api.group_contract import GroupResult, GroupTask
from featx_api.status import Progress, WaitingReason

from featx_job.failures import RunFailure
from featx_job.models.fetch import NetFiles, Nets
from featx_job.progress import Tally
from featx_job.source.shard_list import ShardList, Work
from featx_job.spark import calibration
from featx_job.spark.session import Session
from featx_job.spark.shard_run import ShardRun
from featx_job.table.output import RunOutput
from featx_job.table.publisher import Executors

LOG = logging.getLogger(__name__)
MOST_OUTSTANDING = 5_000  # tasks that Spark has, or some per executor if that is more
SUBMITTED_SHARDS = 2_000  # at a time, between two reports of the progress
MOST_WAITING = 50_000  # finished shards that are in no file of the table: commits may be slower than executors
QUEUED = 4  # shards that wait for each task that runs
POLL_SECONDS = 0.2

OnProgress = Callable[[Progress], int | None]


class Computation:
    """The work of one attempt.

    Attributes:
        tally: What is done.
    """

    def __init__(
        self,
        job: JobSpec,
        shards: ShardList,
        nets: Nets,
        output: RunOutput,
        tally: Tally,
        tasks: int,
        on_progress: OnProgress,
    ) -> None:
        """Prepare; nothing is computed yet.

        Args:
            job: The run.
            shards: All of its shards.
            nets: Its nets.
            output: Its output.
            tally: What earlier attempts have done.
            tasks: How many shards are processed at the same time.
            on_progress: Called with the progress several times a second; returns how many executors the run is to have
                now, or None.
        """
        self._job, self._shards, self._nets, self._output = job, shards, nets, output
        self.tally, self._tasks, self._on_progress = tally, tasks, on_progress
        self._next = 0  # the first shard that was not looked at

    def run(self, session: Session, check: Callable[[], None]) -> None:
        """Process the remaining shards and publish the table.

        Args:
            session: A Spark context that is not started yet.
            check: Raises a RunFailure if the table must not become visible as a whole.
        """
        output, shards = self._output, self._shards
        if shards.complete and not len(shards) and not output.publisher.logged:
            with session.alone() as alone:
                alone.write_empty(output.folders)
        left = not shards.complete or len(self.tally.done) < len(shards)
        if not left and not output.publisher.needs_executors():
            self._finish(_NO_EXECUTORS, check)
            return
        floats = self._nets.files() if left and self._job.spec.precision != "int8" else None
        if floats:
            session.write_nets(floats)  # while Spark starts
        if left:
            session.prepare()
        with session:
            LOG.info("Spark is up")
            table = output.table_folders

            def join(tasks: list[GroupTask]) -> list[GroupResult]:
                results = session.join(tasks, table)
                self.tally.joining += sum(result.seconds for result in results)
                return results

            executors = Executors(join, lambda tasks: session.replace(tasks, table))
            if left:
                files = floats or self._calibrated(session)
                self.tally.started = time.monotonic()
                self._process(session, session.shard_run(shards, files, output.folders), executors)
            LOG.info("all shards are done")
            self._finish(executors, check)

    def _process(self, session: Session, shard_run: ShardRun, executors: Executors) -> None:
        """Hand shards to executors, some at a time, and take their results until all are done."""
        publisher = self._output.publisher
        while self._next < len(self._shards) or not self._shards.complete or shard_run.is_running:
            if shards := self._next_shards(shard_run.outstanding):
                shard_run.submit(map(self._shards.line, shards), len(shards))
            shard_run.wait(POLL_SECONDS)
            for shard in shard_run.finished():
                if self.tally.add(shard):
                    publisher.publish(shard)
            publisher.advance(executors)
            progress = waiting(self.now(), "StoreUnreachable", shard_run.waiting())
            session.keep_executors(self._on_progress(progress))

    def _next_shards(self, outstanding: int) -> list[int]:
        """Return the next shards to process, unless Spark has enough of them."""
        shards = self._shards
        if outstanding and self._output.publisher.waiting >= MOST_WAITING:
            return []
        if outstanding >= max(MOST_OUTSTANDING, QUEUED * self._tasks):
            return []
        if self._next == len(shards) and outstanding < QUEUED * self._tasks:
            shards.plan(Work(self.tally.seconds_per_image(), self._tasks))
            self.tally.images, self.tally.shards = shards.images, shards.expected
        indices = list[int]()
        while self._next < len(shards) and len(indices) < SUBMITTED_SHARDS:
            if self._next not in self.tally.done:
                indices.append(self._next)
            self._next += 1
        return indices

    def _calibrated(self, session: Session) -> NetFiles:
        def on_step(step: str) -> None:
            self._on_progress(waiting(self.now(), "Calibrating", step))

        return calibration.net_files(self._job.spec, self._nets, self._shards, self._output.files, session, on_step)

    def _finish(self, executors: Executors, check: Callable[[], None]) -> None:
        self._output.publisher.finish_groups(executors)
        check()
        self._output.publisher.finalize(executors)

    def now(self) -> Progress:
        """Return the progress at this moment."""
        return self.tally.progress(time.monotonic(), datetime.now(UTC))


def waiting(progress: Progress, reason: WaitingReason, text: str | None) -> Progress:
    """Return the progress with what the run waits for, if it does."""
    waits = (text[:512], reason) if text else (None, None)
    return progress.model_copy(update=dict(zip(("waiting", "waiting_reason"), waits, strict=True)))


def _no_join(_: list[GroupTask]) -> list[GroupResult]:
    raise RunFailure(FailureClass.OUTPUT_BUSY, "spec.output.uri: another run is writing to this table")


def _no_rewrite(_: list[ReplacementTask]) -> list[ReplacementResult]:
    raise RunFailure(FailureClass.OUTPUT_BUSY, "spec.output.uri: another run is writing to this table")


_NO_EXECUTORS = Executors(_no_join, _no_rewrite)
