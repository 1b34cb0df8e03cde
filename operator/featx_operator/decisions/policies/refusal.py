"""Children that the API server refuses: retried, never failed, since time or an administrator will resolve it."""

from __future__ import annotations

from featx_api.status import ConditionType

from featx_operator.decisions import conditions, reasons
from featx_operator.decisions.conditions import Finding
from featx_operator.decisions.run import Plan, Run

FIRST_WAIT = 2.0
LONGEST_WAIT = 120.0


def refused(run: Run) -> Plan | None:
    """Reports why the current attempt's children could not be created, and retries later."""
    refusal = run.observed.refusal
    if refusal is None:
        return None
    over_quota = refusal.reason == reasons.QUOTA_EXCEEDED
    temporary = over_quota or refusal.reason == reasons.PREVIOUS_RUN
    finding = Finding("False", refusal.reason, refusal.message)
    status = run.report(
        {
            "QuotaReserved": finding if over_quota else Finding("Unknown", refusal.reason),
            "DriverReady": finding,
            "ExecutorsReady": Finding("False", reasons.DRIVER_NOT_READY),
            "Succeeded": finding._replace(status="Unknown"),
            "Reconciling": finding._replace(status="True" if temporary else "False"),
            "Stalled": finding._replace(status="False" if temporary else "True"),
        }
    )
    # Waiting for as long as the refusal has lasted doubles the wait each time, without a counter to store.
    kind: ConditionType = "QuotaReserved" if over_quota else "Reconciling" if temporary else "Stalled"
    since = conditions.find(status.conditions, kind)
    lasted = run.seconds_since(since.last_transition_time if since else None)
    return Plan((), status, requeue_after=min(max(lasted, FIRST_WAIT), LONGEST_WAIT))
