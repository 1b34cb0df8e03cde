"""spec.retry: a run that has failed starts again when this number is raised, without being deleted.

The new attempts resume where the last one stopped. Nothing else starts a finished run again: a GitOps tool that applies
the same resource once more changes nothing.
"""

from __future__ import annotations

from featx_operator.decisions import conditions, reasons
from featx_operator.decisions.conditions import Finding
from featx_operator.decisions.run import Plan, Run, whole


def is_requested(run: Run) -> bool:
    """Whether spec.retry was raised since the operator last acted on it, and the run is not cancelled."""
    return run.resource.spec.retry > run.before.retry and not run.resource.spec.cancel


def restarted(run: Run) -> Plan | None:
    """Starts the next attempt of a failed run, with counts, memory and deadline as at the start."""
    end = conditions.find(run.before.conditions, "Succeeded")
    if end is None or end.status != "False" or not is_requested(run):
        return None
    text = f"spec.retry was raised to {run.resource.spec.retry}; the run had failed with {end.reason}"
    status = run.report(
        {
            "QuotaReserved": Finding("False", reasons.RETRYING),
            "DriverReady": Finding("False", reasons.NOT_CREATED),
            "ExecutorsReady": Finding("False", reasons.DRIVER_NOT_READY),
            "Succeeded": Finding("Unknown", reasons.RETRYING, text),
            "Reconciling": Finding("True", reasons.RETRYING, text),
        },
        attempt=run.attempt + 1 if run.before.driver else run.attempt,  # without a driver it was never used
        driver=None,
        failed_attempts=0,
        disruptions=0,
        memory=None,
        failure=None,
        next_attempt_time=None,
        start_time=whole(run.now),
        completion_time=None,
        workload=None,
    )
    return Plan((), status, requeue_after=0)
