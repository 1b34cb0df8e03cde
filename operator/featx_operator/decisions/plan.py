"""Every decision about a run: what to do, and what to report. Pure; nothing here asks anything of anyone.

Level-triggered: the same resource and pods lead to the same plan, whatever happened before. Each step on the way that
could be mistaken for another one after a crash (an attempt that begins, fails or is suspended) is put on record in the
status first, and acted upon by the next plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from featx_api.contract import DRIVER
from featx_api.resource import FeatureExtraction
from featx_api.status import FeatureExtractionStatus
from pydantic import ValidationError

from featx_operator.decisions import conditions, reasons
from featx_operator.decisions.conditions import Finding, Findings
from featx_operator.decisions.policies import deadline, end, quota, retry, start, suspend, ttl, work
from featx_operator.decisions.policies.stop import stopped
from featx_operator.decisions.run import CreateAttempt, Plan, Run, whole
from featx_operator.settings import Settings
from featx_operator.state.observed import Observed


def plan(body: Mapping[str, Any], observed: Observed, now: datetime, settings: Settings) -> Plan:
    """Decides what happens next to one run.

    Args:
        body: the resource as the API server has it.
        observed: its children.
        now: the time, in UTC.
        settings: the operator's.
    """
    before = FeatureExtractionStatus.model_validate(body.get("status") or {})
    if body["metadata"].get("deletionTimestamp"):
        return Plan((), before)  # the garbage collector takes the children
    try:
        resource = FeatureExtraction.model_validate({key: body[key] for key in ("metadata", "spec")})
    except ValidationError as error:
        return _rejected(before, error, body["metadata"], now)
    run = Run(resource, before, observed, now, settings)
    if is_finished(before):
        return ttl.after_end(run)
    return _sooner(_next(run), None if resource.spec.suspend else deadline.seconds_left(run))


def is_finished(status: FeatureExtractionStatus) -> bool:
    """Tells whether a run has come to its end; nothing starts it again."""
    condition = conditions.find(status.conditions, "Succeeded")
    return condition is not None and condition.status != "Unknown" and condition.reason != reasons.SPEC_INVALID


def _next(run: Run) -> Plan:
    for policy in (end.completed, suspend.held, suspend.resumed, deadline.exceeded):
        if decided := policy(run):
            return decided
    if run.before.start_time is None:
        return _begun(run)
    if leftovers := [pod for pod in run.observed.alive() if pod.attempt != run.attempt]:
        actions = stopped(leftovers)
        # Never two drivers at a time. Executors without a driver do no harm, and on a lost node they may never go.
        if actions or any(pod.role == DRIVER for pod in leftovers):
            return Plan(actions, run.before)
    driver = run.observed.driver(run.attempt)
    if driver is None:
        return _without_driver(run)
    if driver.ended:
        return retry.failed(run, end.failure_of(driver))
    if driver.deleting:
        return _terminating(run)
    return work.running(run, driver) if driver.phase == "Running" else start.starting(run, driver)


def _begun(run: Run) -> Plan:
    """Puts the start on record: from here on the API server lets no one change what the run is about."""
    findings: Findings = {
        "DriverReady": Finding("False", reasons.NOT_CREATED),
        "ExecutorsReady": Finding("False", reasons.DRIVER_NOT_READY),
        "Succeeded": Finding("Unknown", reasons.PENDING),
        "Reconciling": Finding("True", reasons.PROGRESSING),
    }
    return Plan((), run.report(findings, attempt=run.attempt, start_time=whole(run.now)), requeue_after=0)


def _without_driver(run: Run) -> Plan:
    if run.before.driver is not None:
        return retry.failed(run, end.lost(run.before.driver.pod_name))
    if decided := quota.held(run) or retry.wait(run):
        return decided
    return Plan((CreateAttempt(run.attempt),), run.before)


def _terminating(run: Run) -> Plan:
    findings: Findings = {
        "DriverReady": Finding("False", reasons.TERMINATING),
        "ExecutorsReady": Finding("False", reasons.DRIVER_NOT_READY),
    }
    return Plan((), run.report(findings))


def _rejected(
    before: FeatureExtractionStatus, error: ValidationError, metadata: Mapping[str, Any], now: datetime
) -> Plan:
    """Reports a spec that the API server took and the models do not: CRD and operator differ in age."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    finding = Finding("False", reasons.SPEC_INVALID, f"{field}: {first['msg']}".removeprefix(": "))
    findings: Findings = {
        "Accepted": finding,
        "Succeeded": finding._replace(status="Unknown"),
        "Reconciling": finding,
        "Stalled": finding._replace(status="True"),
    }
    generation = int(metadata.get("generation") or 0)
    merged = conditions.merged(before.conditions, findings, whole(now), generation)
    return Plan((), before.model_copy(update={"conditions": merged, "observed_generation": generation}))


def _sooner(decided: Plan, seconds: float | None) -> Plan:
    """Returns the plan with a look at the run when its deadline comes, if that is sooner."""
    if seconds is None or seconds <= 0 or is_finished(decided.status):
        return decided
    known = decided.requeue_after
    return Plan(decided.actions, decided.status, seconds if known is None else min(seconds, known))
