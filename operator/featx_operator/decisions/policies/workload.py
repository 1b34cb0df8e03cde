"""Kueue: nothing of a queued run starts before its Workload is admitted, and everything stops when it is evicted.

A run is queued if it has the label `kueue.x-k8s.io/queue-name`, or its namespace has a default queue. Its Workload
holds the quota of driver and executors over all attempts, until the run ends or is suspended. `status.workload` records
that pods may exist by its leave: from then on losing it, however that happens, stops them first. What they have
committed stays, and the next attempt, which does not count against backoffLimit, resumes there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from featx_api.status import Executors

from featx_operator import kueue, pod_sets
from featx_operator.decisions import conditions, reasons
from featx_operator.decisions.conditions import Finding, Findings
from featx_operator.decisions.policies.placement import ConflictError, placements_of
from featx_operator.decisions.policies.stop import stop
from featx_operator.decisions.run import CreateWorkload, DeleteWorkload, Plan, ReleaseQuota, Run, whole
from featx_operator.settings import Settings
from featx_operator.state.observed import Pod
from featx_operator.state.workload import Placements, Workload

MEMORY = (
    "spec.execution.memory must be set for a run in a queue of Kueue, which reserves it before the models are read. "
    "Small models take 2Gi, the VGG16 pair takes 3Gi, and int8 up to 5Gi"
)
OFF = (
    f"metadata.labels: {kueue.QUEUE_LABEL} is set, but this operator does not use Kueue: remove the label, or ask the "
    "platform team to set kueue.enabled in the chart's values"
)


def queue_of(run: Run) -> str:
    """The LocalQueue that the run waits in, or empty."""
    return queue_name(run.resource.metadata, run.settings)


def queue_name(metadata: Mapping[str, Any], settings: Settings) -> str:
    """The LocalQueue of a run: the one that it names, or its namespace's default, or empty.

    Args:
        metadata: Of the run.
        settings: The operator's.
    """
    by_default = settings.kueue and settings.allowed.queues_by_default(metadata["namespace"])
    return _label(metadata, kueue.QUEUE_LABEL) or (kueue.DEFAULT_QUEUE if by_default else "")


def priority_class_of(run: Run) -> str:
    """The WorkloadPriorityClass that the run names, or empty."""
    return _label(run.resource.metadata, kueue.PRIORITY_LABEL)


def elsewhere(run: Run) -> Plan:
    """A run of another controller, whose status is not ours. MultiKueue needs its Workload, and nothing else."""
    multikueue = run.resource.spec.managed_by == kueue.MULTIKUEUE and run.settings.kueue and queue_of(run)
    if not multikueue or _problem(run) or run.observed.refusal:
        return Plan((), run.before)
    workload = run.observed.workload
    if workload is None:
        return Plan((CreateWorkload(queue_of(run), priority_class_of(run)),), run.before)
    ours = workload.owner == run.resource.metadata["uid"]
    release = _release(workload) if ours and workload.is_true("Evicted") and workload.reserved else None
    return Plan((release,) if release else (), run.before)


def refused(run: Run) -> Plan | None:
    """Reports why the run can't be queued, until it or the operator's settings change."""
    problem = _problem(run)
    if problem is None:
        return None
    return run.refuse("QuotaReserved", Finding("False", *problem))


def deactivated(run: Run) -> Plan | None:
    """Suspends a run whose Workload was deactivated, once its pods are gone, until it is active again."""
    workload = run.observed.workload
    if workload is None or workload.active or workload.reserved or run.before.workload or _remaining(run):
        return None
    why = workload.conditions.get("Evicted")
    text = f"Workload {workload.name} is not active{f' ({why.message})' if why and why.message else ''}: set its "
    finding = Finding("True", reasons.DEACTIVATED, f"{text}spec.active to true, or delete it to queue the run again")
    return Plan((), run.report(_not_running(finding, "Suspended", Finding("False", *finding[1:]))))


def evicted(run: Run) -> Plan | None:
    """Stops a run that has lost its quota, gives the quota back, and puts the run back into its queue."""
    workload = run.observed.workload
    recorded = conditions.reason_of(run.before.conditions, "QuotaReserved") == reasons.EVICTED
    if not recorded and (run.before.workload is None or _holds(run, workload)):
        return None
    remaining = _remaining(run)
    if not recorded:
        finding = Finding("False", reasons.EVICTED, _loss(run, workload))
        return Plan((), run.report(_not_running(finding, "QuotaReserved", finding)), requeue_after=0)
    if remaining:
        return Plan(stop(remaining), run.before)
    if workload and workload.owner == run.resource.metadata["uid"] and not workload.deleting:
        if workload.is_true("Finished"):
            return Plan((DeleteWorkload(workload.name, workload.uid),), run.before)
        if workload.reserved and workload.is_true("Evicted"):
            return Plan((_release(workload),), run.before)
    finding = Finding("False", reasons.QUEUED, "queued again")
    status = run.report(
        _not_running(finding, "QuotaReserved", finding),
        attempt=run.attempt + 1 if run.before.driver else run.attempt,  # without a driver it was never used
        driver=None,
        workload=None,
        executors=Executors(desired=0, ready=0),
        next_attempt_time=None,
    )
    return Plan((), status, requeue_after=0)


def queued(run: Run) -> Plan | None:
    """Waits until the run's Workload is admitted; None if it is, or if the run names no queue."""
    workload, queue = run.observed.workload, queue_of(run)
    if not run.settings.kueue or not queue:
        # The label may be gone by now. Whether a run needs one is a policy of the API server's.
        unused = workload if _is_ours(run, workload) else None
        return Plan((DeleteWorkload(unused.name, unused.uid),), run.before) if unused else None
    if workload is None:
        return Plan((CreateWorkload(queue, priority_class_of(run)),), run.before)
    if workload.deleting:
        return _waiting(run, f"Workload {workload.name} is being deleted")
    if workload.owner != run.resource.metadata["uid"]:
        return Plan((CreateWorkload(queue, priority_class_of(run)),), run.before)  # refused, with the reason
    pool = run.settings.allowed.pool(run.resource.spec.execution.node_pool)
    in_use = run.before.workload == workload.name
    asked = pod_sets.asks_for(workload, run.resource, run.settings.job_image, pool, in_use=in_use)
    if workload.is_true("Finished") or not asked:
        return Plan((DeleteWorkload(workload.name, workload.uid),), run.before)
    if workload.reserved and workload.is_true("Evicted"):
        return Plan((_release(workload),), run.before)
    if not workload.admitted:
        return _waiting(run, _words(workload))
    if problem := _placement_problem(run, workload):
        return _misplaced(run, problem)
    if run.before.workload == workload.name:
        return None
    text = f"admitted by ClusterQueue {workload.cluster_queue}"
    findings: Findings = {"QuotaReserved": Finding("True", reasons.RESERVED, text)}
    # The deadline starts over: it is about the time that the run has quota.
    status = run.report(findings, workload=workload.name, start_time=whole(run.now))
    return Plan((), status, requeue_after=0)


def placements(run: Run) -> Placements:
    """What the run's admission adds to its pods; nothing if it is not queued."""
    workload = run.observed.workload
    admitted = workload is not None and run.before.workload == workload.name
    return placements_of(workload, run.observed.flavors) if workload and admitted else Placements()


def _label(metadata: Mapping[str, Any], name: str) -> str:
    return str((metadata.get("labels") or {}).get(name) or "")


def _problem(run: Run) -> tuple[str, str] | None:
    queue, priority = queue_of(run), priority_class_of(run)
    if not queue:
        return None
    if not run.settings.kueue:
        return reasons.QUEUEING_OFF, OFF
    if run.resource.spec.execution.memory is None:
        return reasons.QUEUE_NEEDS_MEMORY, MEMORY
    namespace = run.resource.metadata["namespace"]
    allowed = run.settings.allowed.allowed_in(namespace).workload_priority_classes
    if priority and priority not in allowed:
        way = f"use one of {', '.join(allowed)}" if allowed else "remove the label"
        return reasons.NOT_ALLOWED, (
            f"metadata.labels: {kueue.PRIORITY_LABEL}={priority} is not allowed in namespace {namespace}: {way}, or "
            "ask the platform team to add it to allowed.workloadPriorityClasses of the chart's values"
        )
    return None


def _is_ours(run: Run, workload: Workload | None) -> bool:
    return workload is not None and not workload.deleting and workload.owner == run.resource.metadata["uid"]


def _holds(run: Run, workload: Workload | None) -> bool:
    return _is_ours(run, workload) and workload is not None and workload.admitted


def _remaining(run: Run) -> list[Pod]:
    return [pod for pod in run.observed.pods if pod.deleting or not pod.ended]


def _loss(run: Run, workload: Workload | None) -> str:
    """Why a run has no quota any more."""
    if workload is None or workload.deleting or not _is_ours(run, workload):
        return f"Workload {run.before.workload} was deleted"
    for kind in ("Evicted", "Finished", "Admitted", "QuotaReserved"):
        condition = workload.conditions.get(kind)
        if condition and (condition.status == "True") == (kind in ("Evicted", "Finished")):
            return f"{condition.reason}: {condition.message}"
    return f"Workload {workload.name} is no longer admitted"


def _words(workload: Workload) -> str:
    """What Kueue says about a Workload that waits."""
    quota, admitted = workload.conditions.get("QuotaReserved"), workload.conditions.get("Admitted")
    waiting = admitted if quota and quota.status == "True" else quota
    return waiting.message if waiting and waiting.message else f"waiting in LocalQueue {workload.queue}"


def _release(workload: Workload) -> ReleaseQuota:
    eviction = workload.conditions["Evicted"]
    requeued = eviction.reason in kueue.REQUEUED
    return ReleaseQuota(workload.name, workload.uid, eviction.reason, eviction.message, requeued)


def _waiting(run: Run, message: str) -> Plan:
    finding = Finding("False", reasons.QUEUED, message)
    return Plan((), run.report(_not_running(finding, "QuotaReserved", finding)))


def _not_running(why: Finding, kind: str, finding: Finding) -> Findings:
    """The conditions of a run that has no pods, or must not have any, because of Kueue."""
    findings: Findings = {
        "QuotaReserved": why._replace(status="False"),
        "DriverReady": Finding("False", why.reason, why.message),
        "ExecutorsReady": Finding("False", reasons.DRIVER_NOT_READY),
        "Succeeded": Finding("Unknown", why.reason, why.message),
        "Reconciling": Finding("True", why.reason, why.message),
    }
    if kind == "Suspended":
        findings |= {"Suspended": why, "Reconciling": finding}
    return findings


def _placement_problem(run: Run, workload: Workload) -> str:
    if any(assignment.topology for assignment in workload.assignments.values()):
        return (
            "its ClusterQueue places pods by topology (TopologyAwareScheduling), which Featx does not support: use a "
            "queue whose ResourceFlavors have no topologyName"
        )
    if missing := sorted(workload.flavors() - run.observed.flavors.keys()):
        return f"ResourceFlavor {missing[0]} was not found"
    try:
        placements_of(workload, run.observed.flavors)
    except ConflictError as error:
        return str(error)
    return ""


def _misplaced(run: Run, problem: str) -> Plan:
    finding = Finding("False", reasons.PLACEMENT_CONFLICT, f"admitted, but can't start: {problem}")
    findings = _not_running(finding, "QuotaReserved", finding)
    findings |= {"Reconciling": finding, "Stalled": finding._replace(status="True")}
    return Plan((), run.report(findings), requeue_after=run.settings.resync_seconds)
