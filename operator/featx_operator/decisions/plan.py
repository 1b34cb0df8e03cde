"""Every decision about a run: what to do next, and what to report. Pure: it makes no request and reads no clock.

Level-triggered: the same resource and pods lead to the same plan, whatever happened before. A step that could be
mistaken for another one after a crash (an attempt starts, fails or is suspended) is recorded in the status first; the
next plan acts on it.
"""

from __future__ import annotations

from datetime import datetime

from featx_api import problems
from featx_api.contract import DRIVER
from featx_api.resource import FeatureExtraction
from featx_api.status import FeatureExtractionStatus
from pydantic import ValidationError

from featx_operator.decisions import conditions, internal_error, reasons
from featx_operator.decisions.conditions import Finding, Findings
from featx_operator.decisions.policies import (
    allowance,
    cancel,
    deadline,
    end,
    models,
    quota,
    refusal,
    restart,
    retry,
    running,
    scale,
    start,
    suspend,
    ttl,
    workload,
    workload_report,
)
from featx_operator.decisions.policies.stop import delete_files, stop
from featx_operator.decisions.run import CreateAttempt, DeletePod, Plan, Run, whole
from featx_operator.decisions.status import with_changes
from featx_operator.objects import Body, is_elsewhere, resource_of, status_of
from featx_operator.settings import Settings
from featx_operator.state.observed import Observed, Pod

REPLACE_SECONDS = 2.0  # a pod without our labels is not watched


def plan(body: Body, observed: Observed, now: datetime, settings: Settings) -> Plan:
    """Decides what happens next to one run.

    Args:
        body: The resource as the API server has it.
        observed: Its children.
        now: The time, in UTC.
        settings: The operator's.
    """
    before = status_of(body)
    if body["metadata"].get("deletionTimestamp"):
        # The garbage collector deletes the children, but not while anybody's finalizer keeps the resource.
        return Plan(stop(observed.alive()), before)
    before = internal_error.cleared(before, whole(now))
    try:
        resource = resource_of(body)
    except ValidationError as error:
        return Plan((), before) if is_finished(before) or is_elsewhere(body) else _rejected(before, error, body, now)
    run = Run(resource, before, observed, now, settings)
    if is_elsewhere(body):
        return workload.elsewhere(run)
    if is_finished(before):
        return restart.restarted(run) or workload_report.reported(run, ttl.after_end(run))
    decision = workload_report.reported(run, _next_step(run))
    return decision if resource.spec.suspend else _by_deadline(decision, deadline.seconds_left(run))


def is_finished(status: FeatureExtractionStatus) -> bool:
    """Whether a run has ended; only a raised spec.retry starts it again, and only if it has failed."""
    condition = conditions.find(status.conditions, "Succeeded")
    return condition is not None and condition.status != "Unknown"


def _next_step(run: Run) -> Plan:
    policies = (
        *(end.completed, cancel.cancelled, suspend.suspended, workload.deactivated, suspend.resumed),
        *(workload.evicted, deadline.exceeded),
    )
    for policy in policies:
        if decision := policy(run):
            return decision
    if run.before.start_time is None:
        return (
            models.waits(run) or allowance.refused(models.described(run)) or workload.refused(run) or _record_start(run)
        )
    if actions := stop(pod for pod in run.observed.alive() if pod.attempt != run.attempt):
        return Plan(actions, run.before)
    if actions := delete_files(run.observed, range(1, run.attempt)):
        return Plan(actions, run.before)  # before the next attempt has files of its own: they don't pile up
    driver = run.driver
    if driver is None:
        return _without_driver(run)
    if driver.ended:
        return retry.failed(run, end.failure_of(run, driver))
    if driver.deleting:
        return _terminating(run)
    if decision := scale.scaled(run, driver):
        return decision
    report = running.report_running if driver.phase == "Running" else start.starting
    return scale.retried(run, report(run, driver))


def _record_start(run: Run) -> Plan:
    """Records the start: from now on the API server rejects changes to what the run computes."""
    findings: Findings = {
        "DriverReady": Finding("False", reasons.NOT_CREATED),
        "ExecutorsReady": Finding("False", reasons.DRIVER_NOT_READY),
        "Succeeded": Finding("Unknown", reasons.PENDING),
        "Reconciling": Finding("True", reasons.PROGRESSING),
    }
    start = run.report(findings, attempt=run.attempt, start_time=whole(run.now), models=models.pins(run))
    return Plan((), start, requeue_after=0)


def _without_driver(run: Run) -> Plan:
    if run.before.driver and run.before.driver.pod_uid:
        return retry.failed(run, end.lost(run.before.driver.pod_name))
    # Never two drivers at a time. Executors without a driver are harmless, and on a lost node may never end. A driver
    # of a later attempt is forged. One of an earlier attempt may be, and never end: so it only blocks the next driver.
    if earlier := next((pod for pod in run.observed.alive() if pod.role == DRIVER and pod.attempt < run.attempt), None):
        return _terminating(run, text=f"{earlier.name} of an earlier attempt has not ended yet")
    if impostor := run.observed.impostor:
        return _replacing(run, impostor)
    for policy in (allowance.refused, workload.refused, refusal.refused, workload.queued, retry.wait, quota.waits):
        if decision := policy(run):
            return decision
    return Plan((CreateAttempt(run.attempt, workload.placements(run)),), run.before)


def _replacing(run: Run, impostor: Pod) -> Plan:
    """Deletes what has the driver's name but was never recorded: forged, or just created by an operator that died."""
    if not impostor.deleting:
        return Plan((DeletePod(impostor.name, impostor.uid),), run.before)
    return _terminating(run, REPLACE_SECONDS)


def _terminating(run: Run, again: float | None = None, text: str = "") -> Plan:
    text = text or "the driver pod is being deleted"
    findings: Findings = {
        "DriverReady": Finding("False", reasons.TERMINATING, text),
        "ExecutorsReady": Finding("False", reasons.DRIVER_NOT_READY),
        "Succeeded": Finding("Unknown", reasons.TERMINATING, text),
        "Reconciling": Finding("True", reasons.TERMINATING, text),
    }
    return Plan((), run.report(findings), requeue_after=again)


def _rejected(before: FeatureExtractionStatus, error: ValidationError, body: Body, now: datetime) -> Plan:
    """Reports a spec that the API server accepted but the models reject: the versions of CRD and operator differ."""
    finding = Finding("False", reasons.SPEC_INVALID, problems.line(FeatureExtraction, error.errors()[0]))
    findings: Findings = {
        "Accepted": finding,
        "Succeeded": finding._replace(status="Unknown"),
        "Reconciling": finding,
        "Stalled": finding._replace(status="True"),
    }
    generation = int(body["metadata"].get("generation") or 0)
    merged = conditions.merged(before.conditions, findings, whole(now), generation)
    return Plan((), with_changes(before, conditions=merged, observed_generation=generation))


def _by_deadline(decision: Plan, seconds_left: float | None) -> Plan:
    """The decision, with the next plan no later than the deadline."""
    if seconds_left is None or seconds_left <= 0 or is_finished(decision.status):
        return decision
    again = decision.requeue_after
    return Plan(decision.actions, decision.status, seconds_left if again is None else min(seconds_left, again))
