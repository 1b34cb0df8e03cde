"""What other runs have left in a run's output: in what they differ from it, and which files may be replaced.

Each run stores its job beside its shard list, so that a run over changed settings can name what was changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from featx_api.contract import JobSpec
from featx_api.failures import FailureClass
from featx_api.resource import COMPUTED

from featx_job import stored_json
from featx_job.failures import RunFailure
from featx_job.table import delta_entries, run_lock
from featx_job.table.output import QUARANTINE, SUCCESS
from featx_job.table.run_files import RUNS, TABLE_MANIFEST, RunFiles

RECORD = "run.json"
FAILED = "failed.json"  # of a run with too many failures
RECORD_VERSION = 1
# A local run that differs in nothing else is the same run. Limits decide which images are in quarantine.
COMPARED = {*COMPUTED, "limits"}
MOST_FIELDS = 6  # in a message
_TABLE_FILE = re.compile(r"part-[^/]+\.parquet")
_FOLDERS = (f"{RUNS}/", f"{QUARANTINE}/", f"{delta_entries.FOLDER}/")


def save_job(files: RunFiles, job: JobSpec) -> None:
    """Store a run's job, for later runs with the same output."""
    files.save(
        RECORD, stored_json.to_bytes(job.model_dump(mode="json", by_alias=True, exclude_none=True), RECORD_VERSION)
    )


def save_failed_fraction(files: RunFiles, fraction: float) -> None:
    """Store that a run has failed because of its images.

    Args:
        files: The run's.
        fraction: Of its images that are in quarantine.
    """
    files.save(FAILED, json.dumps({"failedFraction": fraction}).encode())


def failed_files(files: RunFiles, job: JobSpec) -> list[str]:
    """Return the files of a run whose images have made it fail, and still would: it starts over, as they may be mended.

    Args:
        files: The run's.
        job: The run.

    Returns:
        The files, to be removed in this order; none if the run can resume, or updates a table.
    """
    saved = files.load(FAILED)
    if saved is None or job.spec.output.mode == "incremental":
        return []
    if json.loads(saved)["failedFraction"] <= job.spec.errors.max_failed_fraction:
        return []
    return replaceable_files(files, unfinished=True)


def refuse_writers(files: RunFiles, job: JobSpec, *, in_cluster: bool, holding: bool = False) -> None:
    """Refuse an output to which another run is writing; runs that update a table may do so at the same time.

    Args:
        files: The run's files.
        job: The run.
        in_cluster: Whether runs do not show that they are alive: there a lock counts as long as it is there.
        holding: Whether this run holds its own lock. Of two that have begun at the same moment, one continues.

    Raises:
        RunFailure: OutputBusy.
    """
    if job.spec.output.mode == "create":
        _refuse_writers(files, in_cluster, holding)


def _refuse_writers(files: RunFiles, in_cluster: bool, holding: bool) -> None:
    for uid in sorted(_uids(file.path for file in files.storage.files(RUNS)) - {files.uid}):
        if holding and uid > files.uid:
            continue
        holder = run_lock.holder_of(files.storage, uid, check=not in_cluster)
        if holder:
            raise RunFailure(FailureClass.OUTPUT_BUSY, _busy(files, uid, holder, in_cluster))


def _busy(files: RunFiles, uid: str, holder: run_lock.Holder, in_cluster: bool) -> str:
    other = _job(files, uid)
    run = f"run {other.namespace}/{other.name}" if other else "another run"
    process = f"pod {holder.host}" if in_cluster else f"process {holder.pid} on {holder.host}"
    message = f"spec.output.uri: {files.uri} is being written by {run} ({process}, since {holder.since})"
    gone = f"; if this pod is gone, remove {files.uri}/{run_lock.locks_folder(uid)}" if in_cluster else ""
    return f"{message}; wait for it, or choose another address{gone}"


def explained(failure: RunFailure, files: RunFiles, job: JobSpec) -> RunFailure:
    """Return a failure that also names the fields in which the run differs from the one that wrote the output.

    Args:
        failure: Why the output can't be used.
        files: The run's files.
        job: The run.
    """
    if failure.class_ != FailureClass.OUTPUT_EXISTS:
        return failure
    others = [other for uid, other in _jobs(files).items() if uid != files.uid and other]
    fields = changed_fields(others[-1], job) if others else []
    if not fields:
        return failure
    more = f" and {len(fields) - MOST_FIELDS} more fields" if len(fields) > MOST_FIELDS else ""
    return RunFailure(failure.class_, f"{failure} (it differs in {', '.join(fields[:MOST_FIELDS])}{more})")


def replaceable_files(files: RunFiles, *, unfinished: bool = False) -> list[str]:
    """Return the output's files, which may be removed in this order; none if only this run's unfinished part is there.

    Args:
        files: The run's files.
        unfinished: Whether to return that part, too.

    Raises:
        RunFailure: OutputExists, if anything but runs that created a table has written to the output; OutputBusy, if
            another run is writing to it.
    """
    own_locks = f"{run_lock.locks_folder(files.uid)}/"
    paths = [file.path for file in files.storage.files("") if not file.path.startswith(own_locks)]
    for path in paths:
        if not (path.startswith(_FOLDERS) or path in (TABLE_MANIFEST, SUCCESS) or _TABLE_FILE.fullmatch(path)):
            raise _kept(files, f"{path} in it was not written by a run")
    jobs = _jobs(files)
    if paths and not jobs:
        raise _kept(files, "it was not written by a run")
    if not all(jobs.values()):
        raise _kept(files, "a run of an older version has written to it")
    if any(job and job.spec.output.mode == "incremental" for job in jobs.values()):
        raise _kept(files, "a run with spec.output.mode: incremental has written to it")
    _refuse_writers(files, in_cluster=False, holding=False)
    if jobs.keys() <= {files.uid} and files.manifest() is None and not unfinished:
        return []
    return sorted(paths, key=lambda path: (path.startswith(f"{RUNS}/"), path != SUCCESS, path != TABLE_MANIFEST, path))


def changed_fields(earlier: JobSpec, job: JobSpec) -> list[str]:
    """Return the paths of the fields in which two runs differ, sorted."""
    old, new = (dict(_leaves(_compared(run))) for run in (earlier, job))
    return sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))


def _kept(files: RunFiles, reason: str) -> RunFailure:
    message = f"spec.output.uri: {files.uri} is not replaced: {reason}; choose another address or remove it yourself"
    return RunFailure(FailureClass.OUTPUT_EXISTS, message)


def _jobs(files: RunFiles) -> dict[str, JobSpec | None]:
    """Return the jobs of all runs that have written to the output, by uid; None for one that has stored none."""
    locks = f"/{run_lock.LOCKS}/"
    paths = [file.path for file in files.storage.files(RUNS) if locks not in file.path]
    return {uid: _job(files, uid) for uid in sorted(_uids(paths))}


def _job(files: RunFiles, uid: str) -> JobSpec | None:
    try:
        stored = files.storage.read(f"{RUNS}/{uid}/{RECORD}") or b""
        return JobSpec.from_wire(stored_json.from_bytes(stored, RECORD_VERSION, RECORD))
    except (ValueError, RunFailure):  # another version's
        return None


def _uids(paths: Iterable[str]) -> set[str]:
    """Return the uids of the runs that have files among these paths."""
    parts = (path.split("/") for path in paths)
    return {part[1] for part in parts if part[0] == RUNS and len(part) > 2}


def _compared(job: JobSpec) -> dict[str, Any]:
    spec = job.spec.model_dump(mode="json", by_alias=True, exclude_none=True, include=COMPARED)
    return {"metadata": {"name": job.name}, "spec": spec}


def _leaves(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in node.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value
