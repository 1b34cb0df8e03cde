"""What the API server would not let in: held and tried again, never failed; time or an administrator mends it."""

from __future__ import annotations

from featx_operator.decisions import reasons
from featx_operator.decisions.conditions import Finding
from featx_operator.decisions.run import Plan, Run

FIRST_WAIT = 2.0
LONGEST_WAIT = 120.0


def held(run: Run) -> Plan | None:
    """Reports why the current attempt's children could not be created, and asks to try again later."""
    refusal = run.observed.refusal
    if refusal is None:
        return None
    quota = refusal.reason == reasons.QUOTA_EXCEEDED
    passing = quota or refusal.reason == reasons.PREVIOUS_RUN
    finding = Finding("False", refusal.reason, refusal.message)
    status = run.report(
        {
            "QuotaReserved": finding if quota else Finding("Unknown", refusal.reason),
            "DriverReady": finding,
            "ExecutorsReady": Finding("False", reasons.DRIVER_NOT_READY),
            "Succeeded": Finding("Unknown", refusal.reason, refusal.message),
            "Reconciling": Finding("True" if passing else "False", refusal.reason, refusal.message),
            "Stalled": Finding("False" if passing else "True", refusal.reason, refusal.message),
        }
    )
    # Waiting as long as it has lasted doubles the wait each time, without a counter that a restart would lose.
    kind = "QuotaReserved" if quota else "Reconciling" if passing else "Stalled"
    changed = {item.type: item.last_transition_time for item in status.conditions}
    lasted = run.seconds_since(changed[kind])  # type: ignore[index]
    return Plan((), status, requeue_after=min(max(lasted, FIRST_WAIT), LONGEST_WAIT))
