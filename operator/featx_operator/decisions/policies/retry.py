"""After an attempt: the next one after a growing wait, or the end of the run. Each class of failure has its rule.

- What the user or the data caused is never retried.
- A disruption (the driver was evicted, deleted, or lost with its node) does not count towards spec.backoffLimit, up to
  a number in a row that the settings limit.
- An attempt that ran out of memory is repeated once with half more.
- Everything else is retried up to spec.backoffLimit.

An attempt that worked for long and made progress starts the counts over: a run of days may meet any number of faults.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from featx_api.failures import FailureClass
from featx_api.status import RaisedMemory

from featx_operator.decisions import conditions, reasons
from featx_operator.decisions.conditions import Finding, Findings
from featx_operator.decisions.policies.end import AttemptFailure, finished
from featx_operator.decisions.policies.progress import final_progress, reported
from featx_operator.decisions.policies.restart import is_requested
from featx_operator.decisions.run import Plan, Run, after, whole
from featx_operator.decisions.status import validated_copy

RAISED_PERCENT = 150
_MAX_DOUBLINGS = 32
_JITTER = 0.25  # of a wait, by which it may be shorter: runs that failed together don't come back together
_DRIVERS_MEMORY = (FailureClass.DRIVER_OUT_OF_MEMORY, FailureClass.JVM_LOST)
_EXECUTORS_MEMORY = (FailureClass.OUT_OF_MEMORY,)


def backoff(run: Run, count: int) -> float:
    """The seconds to wait after this many failed or disrupted attempts (at least one)."""
    doublings = min(count - 1, _MAX_DOUBLINGS)
    longest = float(min(run.settings.backoff_seconds * 2**doublings, run.settings.backoff_cap_seconds))
    seed = f"{run.resource.metadata['uid']}/{run.attempt}".encode()
    return longest * (1 - _JITTER * hashlib.sha256(seed).digest()[0] / 255)


def failed(run: Run, end: AttemptFailure) -> Plan:
    """Moves on to the next attempt, or fails the run if the failure is permanent or no attempts are left.

    Only the status changes here. The next driver is created once that is recorded, so no failure is counted twice.
    """
    refilled = _was_healthy(run)
    failures, disruptions = (0, 0) if refilled else (run.before.failed_attempts, run.before.disruptions)
    failure, limit = end.to_status(), run.resource.spec.backoff_limit
    if end.disruption and disruptions < run.settings.disruption_limit:
        text = f"attempt {run.attempt} was disrupted: {failure.message}"
        return _next(run, end, text, failures, disruptions + 1, run.before.memory)
    failures += 1
    if not end.class_.retryable:
        return finished(run, "False", failure.class_, failure.message, failure=failure, failed_attempts=failures)
    memory = _raised(run, end)
    if memory is not None and memory == run.before.memory:
        text = f"{failure.message}; half more memory was not enough"
        return finished(run, "False", failure.class_, text, failure=failure, failed_attempts=failures)
    if failures > limit:
        last = f"{failure.class_}: {failure.message}"
        text = f"all {failures} attempts failed (spec.backoffLimit is {limit}); the last with {last}"
        return finished(run, "False", reasons.BACKOFF_LIMIT, text, failure=failure, failed_attempts=failures)
    text = f"attempt {run.attempt} failed with {failure.class_}: {failure.message}"
    text += "; the next attempt gets half more memory" if memory else ""
    return _next(run, end, text, failures, disruptions, memory or run.before.memory)


def wait(run: Run) -> Plan | None:
    """Waits until the next attempt may start; None if it may, or if the user does not want to wait."""
    until = run.before.next_attempt_time
    if until is None or run.now >= until or is_requested(run):
        return None
    findings: Findings = {}
    failure = run.before.failure
    if failure and conditions.reason_of(run.before.conditions, "Succeeded") != reasons.BACKING_OFF:
        # The spec was refused meanwhile, and no longer is.
        text = f"attempt {run.attempt - 1} failed with {failure.class_}: {failure.message}"
        findings = _between_attempts(text, reasons.BACKING_OFF)
    return Plan((), run.report(findings), requeue_after=(until - run.now).total_seconds())


def _next(
    run: Run, end: AttemptFailure, text: str, failures: int, disruptions: int, memory: RaisedMemory | None
) -> Plan:
    pause = backoff(run, disruptions if end.disruption else failures)
    status = run.report(
        _between_attempts(text, reasons.DISRUPTED if end.disruption else reasons.BACKING_OFF),
        attempt=run.attempt + 1,
        failed_attempts=failures,
        disruptions=disruptions,
        memory=memory,
        failure=end.to_status(),
        driver=None,
        next_attempt_time=whole(after(_ended_at(run), pause)),
        progress=final_progress(run),
    )
    return Plan((), status, requeue_after=0)


def _ended_at(run: Run) -> datetime:
    driver = run.driver
    # A node's clock may be ahead.
    return min(driver.exit.at, run.now) if driver and driver.exit and driver.exit.at else run.now


def _was_healthy(run: Run) -> bool:
    """Whether the attempt worked for long enough, and got on, to start the counts over."""
    started = run.before.driver.start_time if run.before.driver else None
    if started is None or (_ended_at(run) - started).total_seconds() < run.settings.healthy_seconds:
        return False
    progress, written = reported(run.driver), run.before.progress
    if progress is None and written and written.last_update_time and written.last_update_time >= started:
        progress = written  # the driver is gone
    return progress is not None and progress.images_per_second > 0


def _raised(run: Run, end: AttemptFailure) -> RaisedMemory | None:
    """The memory of the next attempt if this one ran out of it: as it was, if it was raised before. None otherwise."""
    before = run.before.memory or RaisedMemory()
    if end.class_ in _DRIVERS_MEMORY:
        return validated_copy(before, driver_percent=RAISED_PERCENT)
    if end.class_ in _EXECUTORS_MEMORY:
        return validated_copy(before, executor_percent=RAISED_PERCENT)
    return None


def _between_attempts(text: str, driver: str) -> Findings:
    """The conditions between two attempts."""
    return {
        "QuotaReserved": Finding("False", reasons.BACKING_OFF),
        "DriverReady": Finding("False", driver, text),
        "ExecutorsReady": Finding("False", reasons.DRIVER_NOT_READY),
        "Succeeded": Finding("Unknown", reasons.BACKING_OFF, text),
        "Reconciling": Finding("True", reasons.BACKING_OFF, text),
    }
