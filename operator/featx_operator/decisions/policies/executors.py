"""Executors that can't be had: the attempt ends, gives its quota back, and the run queues again after a while.

A driver without any executor does nothing but hold quota. Why it has none is mostly nobody's fault: others have taken
the quota, no node has room, an image can't be pulled. So it does not count towards backoffLimit.
"""

from __future__ import annotations

from featx_api.failures import FailureClass
from featx_api.status import Executors

from featx_operator.decisions import reasons
from featx_operator.decisions.conditions import Finding, Findings
from featx_operator.decisions.policies.end import AttemptFailure
from featx_operator.decisions.policies.progress import final_progress
from featx_operator.decisions.policies.retry import backoff
from featx_operator.decisions.run import Plan, Run, after, whole
from featx_operator.decisions.status import validated_copy
from featx_operator.state.observed import Pod


def counted(run: Run, driver: Pod, executors: Executors) -> Executors:
    """The executors, with the time since which the driver has had none although it has work for them."""
    progress = driver.progress
    # The driver reports shards once it has listed the source, and starts Spark then; at the end it needs no executors.
    wanted = progress is not None and progress.shards_done < progress.shards_total
    if executors.ready or not wanted:
        return executors
    since = run.before.executors.missing_since if run.before.executors else None
    return validated_copy(executors, missing_since=since or whole(run.now))


def seconds_left(run: Run, executors: Executors) -> float | None:
    """The seconds until the attempt ends for want of executors, or None if it has some."""
    since = executors.missing_since
    return run.settings.executor_start_deadline_seconds - run.seconds_since(since) if since else None


def not_started(run: Run, why: str) -> Plan:
    """Ends an attempt that has had no executor for too long. Its pods are stopped once that is recorded."""
    seconds = run.settings.executor_start_deadline_seconds
    text = f"attempt {run.attempt} had no executor for {seconds:.0f} s: {why or 'their pods do not exist'}"
    failure = AttemptFailure(FailureClass.EXECUTORS_NOT_STARTED, text)
    waiting = Finding("False", FailureClass.EXECUTORS_NOT_STARTED, text)
    findings: Findings = {
        "QuotaReserved": waiting,
        "DriverReady": Finding("False", reasons.BACKING_OFF, text),
        "ExecutorsReady": Finding("False", reasons.DRIVER_NOT_READY),
        "Succeeded": Finding("Unknown", reasons.BACKING_OFF, text),
        "Reconciling": Finding("True", reasons.BACKING_OFF, text),
    }
    status = run.report(
        findings,
        attempt=run.attempt + 1,
        failure=failure.to_status(),
        driver=None,
        executors=Executors(desired=run.resource.spec.execution.wanted, ready=0),
        next_attempt_time=whole(after(run.now, backoff(run, run.attempt))),
        progress=final_progress(run),
    )
    return Plan((), status, requeue_after=0)
