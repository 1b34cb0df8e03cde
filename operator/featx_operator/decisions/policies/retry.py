"""After a failed attempt: the next one after a growing wait, or the end of the run."""

from __future__ import annotations

from featx_operator.decisions import reasons
from featx_operator.decisions.conditions import Finding, Findings
from featx_operator.decisions.policies.end import AttemptFailure, finished
from featx_operator.decisions.policies.progress import final_progress
from featx_operator.decisions.run import Plan, Run, after, whole
from featx_operator.settings import Settings

_MAX_DOUBLINGS = 32


def backoff(failed_attempts: int, settings: Settings) -> float:
    """The seconds to wait after this many failed attempts (at least one)."""
    doublings = min(failed_attempts - 1, _MAX_DOUBLINGS)
    return float(min(settings.backoff_seconds * 2**doublings, settings.backoff_cap_seconds))


def failed(run: Run, end: AttemptFailure) -> Plan:
    """Moves on to the next attempt, or fails the run if the failure is permanent or no attempts are left.

    Only the status changes here. The next driver is created once that is recorded, so no failure is counted twice.
    """
    count = run.before.failed_attempts + 1
    failure, limit = end.to_status(), run.resource.spec.backoff_limit
    if not end.class_.retryable:
        return finished(run, "False", failure.class_, failure.message, failure=failure, failed_attempts=count)
    if count > limit:
        last = f"{failure.class_}: {failure.message}"
        text = f"all {count} attempts failed (spec.backoffLimit is {limit}); the last with {last}"
        return finished(run, "False", reasons.BACKOFF_LIMIT, text, failure=failure, failed_attempts=count)
    driver = run.driver
    # A node's clock may be ahead.
    ended_at = min(driver.exit.at, run.now) if driver and driver.exit and driver.exit.at else run.now
    text = f"attempt {run.attempt} failed with {failure.class_}: {failure.message}"
    status = run.report(
        _between_attempts(text),
        attempt=run.attempt + 1,
        failed_attempts=count,
        failure=failure,
        driver=None,
        next_attempt_time=whole(after(ended_at, backoff(count, run.settings))),
        progress=final_progress(run),
    )
    return Plan((), status, requeue_after=0)


def wait(run: Run) -> Plan | None:
    """Waits until the next attempt may start; None if it may."""
    until = run.before.next_attempt_time
    if until is None or run.now >= until:
        return None
    return Plan((), run.report({}), requeue_after=(until - run.now).total_seconds())


def _between_attempts(text: str) -> Findings:
    """The conditions between two attempts."""
    return {
        "QuotaReserved": Finding("False", reasons.BACKING_OFF),
        "DriverReady": Finding("False", reasons.BACKING_OFF, text),
        "ExecutorsReady": Finding("False", reasons.DRIVER_NOT_READY),
        "Succeeded": Finding("Unknown", reasons.BACKING_OFF, text),
        "Reconciling": Finding("True", reasons.BACKING_OFF, text),
    }
