"""spec.suspend: stop the run's pods, and go on later with a new attempt that does not count against backoffLimit.

The intention is put on record before anything is deleted: a driver that is gone is otherwise one that was lost.
"""

from __future__ import annotations

from featx_api.status import Executors

from featx_operator.decisions import conditions, reasons
from featx_operator.decisions.conditions import Finding, Findings
from featx_operator.decisions.policies.stop import stopped
from featx_operator.decisions.run import Plan, Run, whole


def held(run: Run) -> Plan | None:
    """Stops a run that is to be suspended, and finishes stopping one that was resumed half-way."""
    reason = conditions.reason_of(run.before.conditions, "Suspended")
    if not run.resource.spec.suspend and reason != reasons.SUSPENDING:
        return None
    left = [pod for pod in run.observed.pods if pod.deleting or not pod.ended]
    on_record = reason in (reasons.SUSPENDING, reasons.SUSPENDED)
    if not on_record and left:
        text = f"stopping {len(left)} pods"
        findings = _findings(Finding("False", reasons.SUSPENDING, text), Finding("True", reasons.SUSPENDING, text))
        return Plan((), run.report(findings), requeue_after=0)
    if left:
        return Plan(stopped(left), run.before)
    findings = _findings(Finding("True", reasons.SUSPENDED), Finding("False", reasons.SUSPENDED))
    status = run.report(findings, executors=Executors(desired=0, ready=0), next_attempt_time=None)
    return Plan((), status, requeue_after=None if run.resource.spec.suspend else 0)


def resumed(run: Run) -> Plan | None:
    """Begins the next attempt of a run that was suspended; the deadline counts anew."""
    if not conditions.is_true(run.before.conditions, "Suspended"):
        return None
    used = run.before.driver is not None
    findings = _findings(Finding("False", reasons.RESUMED), Finding("True", reasons.RESUMED))
    started = {"start_time": whole(run.now)} if run.before.start_time else {}
    status = run.report(findings, attempt=run.before.attempt + used, driver=None, **started)
    return Plan((), status, requeue_after=0)


def _findings(suspended: Finding, reconciling: Finding) -> Findings:
    return {
        "Suspended": suspended,
        "DriverReady": Finding("False", suspended.reason),
        "ExecutorsReady": Finding("False", reasons.DRIVER_NOT_READY),
        "Succeeded": Finding("Unknown", suspended.reason),
        "Reconciling": reconciling,
    }
