"""The job, from a spec to a finished table: one program for a driver pod and for `featx run`.

Whatever can fail because of a user's mistake comes first, before executors start: output, models, listing. Then Spark
runs the shards that no earlier attempt has done, and the table becomes visible as a whole.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from typing import Any

from featx_api.contract import JobSpec, Outcome
from featx_api.executor_contract import Comparison
from featx_api.failures import FailureClass
from featx_api.source import Source
from featx_api.status import OutputTable, Progress
from featx_api.text import counted, verb

from featx_job import failures
from featx_job.clients.hadoop import Hadoop
from featx_job.clients.retry import reporting
from featx_job.computation import Computation, OnProgress, waiting
from featx_job.environment import Environment
from featx_job.failures import RunFailure
from featx_job.models import fetch
from featx_job.models.fetch import Nets
from featx_job.planning import changes, check_source, plan_shards
from featx_job.progress import Tally
from featx_job.source.open import clean_up
from featx_job.source.shard_list import ShardList
from featx_job.spark import calibration, memory, settings
from featx_job.spark.memory import Sizes
from featx_job.spark.session import Session
from featx_job.table import earlier_output
from featx_job.table.open import open_output
from featx_job.table.output import RunOutput
from featx_job.table.run_lock import RunLock

LOG = logging.getLogger(__name__)
SHOWN_REASONS = 3


def run(job: JobSpec, environment: Environment, on_progress: OnProgress, *, overwrite: bool = False) -> Outcome:
    """Run a job to its end. Never raises: the outcome holds the failure.

    Args:
        job: The run, and the number of this attempt.
        environment: Where it runs.
        on_progress: Called with the progress several times a second; the caller limits what it passes on. Returns how
            many executors the run is to have now, or None if their number does not change.
        overwrite: Whether to replace what finished or other runs have written to the output.
    """
    last: list[Progress] = []

    def remember(progress: Progress) -> int | None:
        last[:] = [progress]
        return on_progress(progress)

    def on_wait(text: str | None) -> None:
        remember(waiting(last[0] if last else Progress(), "StoreUnreachable", text))

    try:
        with reporting(on_wait):
            return _run(job, environment, remember, overwrite)
    except RunFailure as failure:
        reason = failure
    except Exception as error:
        LOG.error("nobody foresaw %s", failures.trace(error))
        reason = failures.from_exception(error)
    return Outcome(
        result="Failed",
        progress=last[0] if last else None,
        failure=reason.to_status(),
        retryable=reason.retryable,
    )


def _run(job: JobSpec, environment: Environment, on_progress: OnProgress, overwrite: bool) -> Outcome:
    prepared = _Prepared(job, environment)
    hadoop = Hadoop(lambda: prepared.conf, job.spec.execution.store_timeout_seconds)
    output = open_output(job, environment, hadoop)
    if overwrite:
        earlier_output.replaceable_files(output.files)  # a folder that must stay as it is gets no lock either
    elif (manifest := _finished(job, environment, output)) is not None:
        outputs = [OutputTable.from_wire(table) for table in manifest["outputs"]]
        return Outcome(result="Succeeded", progress=Progress.from_wire(manifest["progress"]), outputs=outputs)
    earlier_output.refuse_writers(output.files, job, in_cluster=environment.cluster is not None)
    with RunLock(output.files, job, environment.cluster is not None):
        earlier_output.refuse_writers(output.files, job, in_cluster=environment.cluster is not None, holding=True)
        if overwrite:
            _make_room(prepared, hadoop, output, earlier_output.replaceable_files(output.files))
        elif environment.cluster is None:
            # In a cluster nothing runs again by itself. Here somebody has asked for it.
            _make_room(prepared, hadoop, output, earlier_output.failed_files(output.files, job))
        return _compute(job, environment, prepared, hadoop, output, on_progress)


def _finished(job: JobSpec, environment: Environment, output: RunOutput) -> dict[str, Any] | None:
    """Return the manifest if the run has finished.

    Raises:
        RunFailure: OutputExists, with the fields that differ; OutputBusy, if another run is writing to the output.
    """
    try:
        return output.finished()
    except RunFailure as failure:
        earlier_output.refuse_writers(output.files, job, in_cluster=environment.cluster is not None)
        raise earlier_output.explained(failure, output.files, job) from None


def _make_room(prepared: _Prepared, hadoop: Hadoop, output: RunOutput, files: list[str]) -> None:
    """Remove earlier runs' files, once models and source have shown no mistake: it must not cost the old table."""
    if files:
        prepared.check(hadoop)
        LOG.info("removing %d files of earlier runs", len(files))
        output.files.storage.remove(files)


def can_overwrite(job: JobSpec, environment: Environment) -> bool:
    """Return whether a run may replace what is in its output. Takes the same as `run`."""
    prepared = _Prepared(job, environment)
    hadoop = Hadoop(lambda: prepared.conf, job.spec.execution.store_timeout_seconds)
    try:
        return bool(earlier_output.replaceable_files(open_output(job, environment, hadoop).files))
    except RunFailure:
        return False


def _compute(
    job: JobSpec,
    environment: Environment,
    prepared: _Prepared,
    hadoop: Hadoop,
    output: RunOutput,
    on_progress: OnProgress,
) -> Outcome:
    earlier_output.save_job(output.files, job)
    nets = prepared.nets
    shards = output.files.shard_list(lambda: plan_shards(job.spec, environment, hadoop, output.files.lists))
    tally = _resume(shards, output)
    tasks = settings.tasks_at_once(job, environment, prepared.sizes)
    computation = Computation(job, shards, nets, output, tally, tasks, on_progress)
    executors = on_progress(computation.now())
    LOG.info("%s images in %d shards, %d of them done", shards.images, shards.expected, len(tally.done))
    session = Session(job, environment, prepared.sizes, prepared.conf, executors)
    try:
        computation.run(session, lambda: _check_failures(job, output, tally, computation.now()))
    finally:
        shards.close()
    outputs, progress = output.tables(), computation.now()
    changed = changes(job.spec, environment, hadoop, shards, output.files.storage.hadoop_uri)
    if changed is not None:
        LOG.info("while the run read the source, it changed: %s", changed)
        progress = progress.model_copy(update={"files_added": changed.added})
    quality = calibration.quality(output.files) if job.spec.precision == "int8" else None
    source = {"skipped": _skipped(shards, tally), "changesDuringRun": changed._asdict() if changed else None}
    manifest = _manifest(job, nets, progress, outputs, quality, source) | {"files": output.file_entries()}
    output.publish(manifest)
    clean_up(job.spec, hadoop)
    return Outcome(result="Succeeded", progress=progress, outputs=outputs)


def _resume(shards: ShardList, output: RunOutput) -> Tally:
    """Return what earlier attempts have done, after passing it on to the publisher."""
    tally = Tally(shards.images, shards.expected, time.monotonic(), sum(shards.skipped.values()))
    resumed = output.publisher.resume()
    for file in resumed.files:
        tally.add_file(file)
    for shard in resumed.shards:
        if tally.add(shard, earlier=True):
            output.publisher.publish(shard)
    return tally


class _Prepared:
    """What depends on the models, prepared when first needed: a finished run does not even fetch them."""

    def __init__(self, job: JobSpec, environment: Environment) -> None:
        self._job, self._environment = job, environment

    @cached_property
    def nets(self) -> Nets:
        return fetch.load(self._job.spec, self._environment)

    @cached_property
    def sizes(self) -> Sizes:
        threads = settings.threads(self._job, self._environment)
        percent = self._job.executor_memory_percent or 100
        return memory.sizes(self.nets.networks(), self._job.spec, threads, percent)

    def check(self, hadoop: Hadoop) -> None:
        """Load the models and list the source. Raises RunFailure."""
        _ = self.nets
        check_source(self._job.spec, self._environment, hadoop)

    @cached_property
    def conf(self) -> settings.Conf:
        return settings.conf(self._job, self._environment, self.sizes)


def _check_failures(job: JobSpec, output: RunOutput, tally: Tally, progress: Progress) -> None:
    failed, total = progress.images_failed, progress.images_total
    if job.spec.reads_everything and not progress.images_done:
        raise _no_image(job.spec.source, progress)
    limit = job.spec.errors.max_failed_fraction
    if total and failed > limit * total:
        output.publish_quarantine()
        earlier_output.save_failed_fraction(output.files, failed / total)
        raise RunFailure(
            FailureClass.TOO_MANY_FAILURES,
            f"{failed:,} of {counted(total, 'image')} {verb(failed)} in quarantine, more than "
            f"spec.errors.maxFailedFraction {limit:g} allows{_commonest(tally)}; "
            f"each is a row of the table {job.spec.output.uri.rstrip('/')}/_quarantine",
        )


def _no_image(source: Source, progress: Progress) -> RunFailure:
    """Return the failure of a source that was read and holds no image."""
    if source.hbase:
        table, column = source.hbase.table, source.hbase.column
        if progress.files_skipped:
            message = f"the globs select none of {counted(progress.files_skipped, 'row')} of {table}"
            hint = "correct spec.source.include or spec.source.exclude"
        else:
            message = f"{table} has no image in column {column}"
            hint = "correct spec.source.hbase.table, its column or the range of rows, or run again once it has images"
        return RunFailure(FailureClass.SOURCE_EMPTY, f"spec.source.hbase: {message}; {hint}")
    left_out = f" ({progress.files_skipped:,} left out)" if progress.files_skipped else ""
    if source.packed and source.packed.members:
        hint = "correct spec.source.packed.members, which selects images by name"
    else:
        hint = "correct the folder, or the globs of spec.source.include, or run again once the files have images"
    return RunFailure(FailureClass.SOURCE_EMPTY, f"spec.source.packed: the files hold no image{left_out}; {hint}")


def _commonest(tally: Tally) -> str:
    """Return the commonest reasons of the quarantine, with their counts."""
    reasons = tally.reasons.most_common(SHOWN_REASONS)
    return ": " + ", ".join(f"{reason} ({count:,})" for reason, count in reasons) if reasons else ""


def _skipped(shards: ShardList, tally: Tally) -> dict[str, int]:
    """Return the number of files that were left out by cause, and of rows and members as `notSelected`."""
    counts = dict(shards.skipped)
    return counts | ({"notSelected": tally.not_selected} if tally.not_selected else {})


def _manifest(
    job: JobSpec,
    nets: Nets,
    progress: Progress,
    outputs: list[OutputTable],
    quality: Comparison | None,
    source: dict[str, Any],
) -> dict[str, Any]:
    """Return what is needed to explain and to reproduce the table."""
    spec = job.spec
    return {
        "name": job.name,
        "namespace": job.namespace,
        "uid": job.uid,
        "attempt": job.attempt,
        "featxVersion": version("featx"),
        "completionTime": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": {"description": spec.source.to_wire(), "images": progress.images_total, **source},
        "detector": spec.detector.to_wire() if spec.detector else None,
        "extractor": {**spec.extractor.to_wire(), "length": nets.extractor.length},
        "engine": {
            "name": spec.engine,
            "precision": progress.precision,
            "quantization": quality.to_wire() if quality else None,
        },
        "decoding": spec.decoding.to_wire(),
        "limits": spec.limits.to_wire(),
        "notes": nets.notes(),
        "progress": progress.to_wire(),
        "outputs": [table.to_wire() for table in outputs],
    }
