"""spec.suspend: stop the run's pods, and resume later with a new attempt that does not count against backoffLimit.

The intention is recorded before any pod is deleted: a driver that vanishes otherwise counts as lost.
"""

from __future__ import annotations

from featx_api.status import Executors

from featx_operator.decisions import conditions, reasons
from featx_operator.decisions.conditions import Finding, Findings
from featx_operator.decisions.policies.stop import stop
from featx_operator.decisions.run import Plan, Run, whole


def suspended(run: Run) -> Plan | None:
    """Stops a run that is to be suspended, and completes the stop of one that was resumed half-way."""
    reason = conditions.reason_of(run.before.conditions, "Suspended")
    if not run.resource.spec.suspend and reason != reasons.SUSPENDING:
        return None
    remaining = [pod for pod in run.observed.pods if pod.deleting or not pod.ended]
    recorded = reason in (reasons.SUSPENDING, reasons.SUSPENDED)
    if remaining and not recorded:
        text = f"stopping pods: {len(remaining)} left"
        findings = _findings(Finding("False", reasons.SUSPENDING, text), Finding("True", reasons.SUSPENDING, text))
        return Plan((), run.report(findings), requeue_after=0)
    if remaining:
        return Plan(stop(remaining), run.before)
    findings = _findings(Finding("True", reasons.SUSPENDED), Finding("False", reasons.SUSPENDED))
    status = run.report(findings, executors=Executors(desired=0, ready=0), next_attempt_time=None)
    return Plan((), status, requeue_after=None if run.resource.spec.suspend else 0)


def resumed(run: Run) -> Plan | None:
    """Starts the next attempt of a suspended run; the deadline starts over."""
    if not conditions.is_true(run.before.conditions, "Suspended"):
        return None
    before = run.before
    findings = _findings(Finding("False", reasons.RESUMED), Finding("True", reasons.RESUMED))
    status = run.report(
        findings,
        attempt=before.attempt + 1 if before.driver else before.attempt,  # without a driver it was never used
        driver=None,
        start_time=whole(run.now) if before.start_time else None,
    )
    return Plan((), status, requeue_after=0)


def _findings(suspended: Finding, reconciling: Finding) -> Findings:
    return {
        "Suspended": suspended,
        "QuotaReserved": Finding("False", suspended.reason),
        "DriverReady": Finding("False", suspended.reason),
        "ExecutorsReady": Finding("False", reasons.DRIVER_NOT_READY),
        "Succeeded": Finding("Unknown", suspended.reason),
        "Reconciling": reconciling,
    }
