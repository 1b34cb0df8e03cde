"""What Kueue is told about an admitted run: whether its pods are ready, what it no longer needs, and that it has ended.

Since 0.19 Kueue evicts a Workload that is not `PodsReady` half an hour after its admission, or half an hour after its
pods were last ready. A run is ready once its driver runs: listing a large source takes hours, and needs no executor.
Executors that don't get ready make it unready, but not those of the last minute: they come one by one, and each change
is a request.
"""

from __future__ import annotations

from dataclasses import replace

from featx_api.contract import EXECUTOR
from featx_api.status import FeatureExtractionStatus, Progress

from featx_operator import pod_sets
from featx_operator.decisions import conditions, reasons
from featx_operator.decisions.conditions import Finding
from featx_operator.decisions.policies.workload import priority_class_of, queue_of
from featx_operator.decisions.run import (
    DeleteWorkload,
    MoveWorkload,
    Plan,
    ReclaimExecutors,
    ReportWorkload,
    Run,
    WorkloadAction,
    whole,
)
from featx_operator.decisions.status import with_changes
from featx_operator.state.workload import Workload

EXECUTOR_SECONDS = 60.0  # an executor that is not ready after this makes the run unready
LEAST_SHARDS_AT_ONCE = 3  # of an executor, whatever its models: featx_job.spark.settings.shards_at_once


def reported(run: Run, decision: Plan) -> Plan:
    """The decision, or what has to be told to Kueue before its status is written."""
    workload = run.observed.workload
    if workload is None:
        return replace(decision, status=_without_workload(run, decision.status))
    if decision.actions or workload.deleting or workload.owner != run.resource.metadata["uid"]:
        return decision
    if action := _next(run, workload, decision.status):
        return replace(decision, actions=(action,))
    seconds = _until_unready(run, workload)
    again = [delay for delay in (decision.requeue_after, seconds) if delay is not None]
    return replace(decision, requeue_after=min(again, default=None))


def _next(run: Run, workload: Workload, status: FeatureExtractionStatus) -> WorkloadAction | None:
    end = conditions.find(run.before.conditions, "Succeeded")
    if end and end.status != "Unknown":
        reason = "Succeeded" if end.status == "True" else "Failed"
        return _after_end(run, workload, reason, f"{end.reason}: {end.message}")
    now = conditions.find(status.conditions, "Succeeded")
    if now and now.status != "Unknown":
        return None  # it has just ended; that is recorded first
    if conditions.reason_of(status.conditions, "Suspended") == reasons.SUSPENDED:
        return DeleteWorkload(workload.name, workload.uid)
    if moved := _moved(run, workload):
        return moved
    if not workload.admitted or run.before.workload != workload.name:
        return None
    return _pods_ready(run, workload) or _reclaimed(run, workload, status.progress)


def _after_end(run: Run, workload: Workload, reason: str, message: str) -> WorkloadAction | None:
    """Gives the quota back once no pod uses it, and deletes the Workload with the run's pods."""
    if run.observed.alive():
        return None
    ttl, ended_at = run.resource.spec.ttl_seconds_after_finished, run.before.completion_time
    if ttl is not None and run.seconds_since(ended_at) >= ttl:
        return DeleteWorkload(workload.name, workload.uid)
    if workload.is_true("Finished"):
        return None
    return ReportWorkload(workload.name, workload.uid, "Finished", "True", reason, message)


def _moved(run: Run, workload: Workload) -> MoveWorkload | None:
    """Follows the resource's labels. A queue is fixed while quota is reserved; a priority class can be changed."""
    queue, priority = queue_of(run), priority_class_of(run)
    if not queue or workload.is_true("Finished"):
        return None
    changed = priority != workload.priority_class
    if workload.reserved:
        # Kueue refuses to add or remove a class then.
        queue, changed = workload.queue, changed and bool(priority) and bool(workload.priority_class)
    if queue == workload.queue and not changed:
        return None
    allowed = run.settings.allowed.allowed_in(run.resource.metadata["namespace"]).workload_priority_classes
    if priority and priority not in allowed:
        return None
    return MoveWorkload(workload.name, workload.uid, queue, priority)


def _pods_ready(run: Run, workload: Workload) -> ReportWorkload | None:
    before = workload.conditions.get("PodsReady")
    was_ready = before is not None and before.status == "True"
    once = was_ready or (before is not None and before.reason in ("WaitForRecovery", "Recovered"))
    if _is_ready(run):
        status, reason, text = "True", "Recovered" if once else "Started", "the driver and all executors run"
    else:
        status, reason, text = (
            "False",
            "WaitForRecovery" if once else "WaitForStart",
            "not all pods of the run are ready",
        )
    if before is not None and before.status == status:
        return None
    return ReportWorkload(workload.name, workload.uid, "PodsReady", status, reason, text)


def _is_ready(run: Run) -> bool:
    driver = run.driver
    if driver is None or driver.phase != "Running" or driver.deleting:
        return False
    pods = run.observed.executors(driver)
    return all(pod.ready or run.seconds_since(pod.created) < EXECUTOR_SECONDS for pod in pods)


def _until_unready(run: Run, workload: Workload) -> float | None:
    """The seconds until an executor that is not ready makes the run unready; None if none does."""
    driver = run.driver
    if driver is None or not workload.admitted:
        return None
    pods = [pod for pod in run.observed.executors(driver) if not pod.ready]
    seconds = [EXECUTOR_SECONDS - run.seconds_since(pod.created) for pod in pods]
    return min((left for left in seconds if left > 0), default=None)


def _reclaimed(run: Run, workload: Workload, progress: Progress | None) -> ReclaimExecutors | None:
    """Gives back the quota of executors that the run does not need any more, once their pods are gone."""
    wanted, granted = workload.pod_sets.get(EXECUTOR), workload.assignments.get(EXECUTOR)
    needed = _needed(run, progress)
    if needed is None or wanted is None or granted is None or granted.count not in (None, wanted.count):
        return None
    living = sum(pod.role == EXECUTOR for pod in run.observed.alive())
    count = wanted.count - max(needed, living)
    # It may only grow.
    return ReclaimExecutors(workload.name, workload.uid, count) if count > workload.reclaimable else None


def _needed(run: Run, progress: Progress | None) -> int | None:
    """How many executors the run may still need; None if that is not known."""
    execution, driver = run.resource.spec.execution, run.driver
    if execution.max_executors is None:
        if driver is None:
            return execution.wanted
        return None if driver.executors is None else max(execution.wanted, driver.executors)
    if progress is None or not progress.shards_total:
        return None
    # Dynamic allocation has none without a shard to process.
    shards = max(progress.shards_total - progress.shards_done, 0)
    return max(-(-shards // LEAST_SHARDS_AT_ONCE), pod_sets.least_executors(execution) or 0)


def _without_workload(run: Run, status: FeatureExtractionStatus) -> FeatureExtractionStatus:
    """The status of a suspended run whose quota was given back."""
    suspended = conditions.reason_of(status.conditions, "Suspended") == reasons.SUSPENDED
    if status.workload is None or not suspended:
        return status
    finding = Finding("False", reasons.SUSPENDED)
    merged = conditions.merged(status.conditions, {"QuotaReserved": finding}, whole(run.now), run.generation)
    return with_changes(status, workload=None, conditions=merged)
