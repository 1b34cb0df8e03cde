"""Children that can't be created: retried, since time or an administrator will resolve it.

Only a Secret that stays missing fails the run: no further attempt would find it either.
"""

from __future__ import annotations

from featx_api.failures import FailureClass
from featx_api.status import ConditionType

from featx_operator.decisions import conditions, reasons
from featx_operator.decisions.conditions import Finding
from featx_operator.decisions.policies.end import AttemptFailure, gave_up, refused_memory
from featx_operator.decisions.run import Plan, Run

FIRST_WAIT = 2.0
LONGEST_WAIT = 120.0
LONGEST_WAIT_FOR_SECRET = 5.0  # it may be applied together with the run
LONGEST_WAIT_FOR_QUOTA = 15.0  # if quotas can be read: the next attempt to create it is made when they have room
TEMPORARY = (reasons.QUOTA_EXCEEDED, reasons.PREVIOUS_RUN, reasons.SECRET_NOT_FOUND, reasons.KUEUE_UNAVAILABLE)


def refused(run: Run) -> Plan | None:
    """Reports why the current attempt's children could not be created, and retries later."""
    refusal = run.observed.refusal
    if refusal is None:
        return None
    missing_secret = refusal.reason == reasons.SECRET_NOT_FOUND
    due = run.before.next_attempt_time or run.before.start_time
    if missing_secret and run.seconds_since(due) >= run.settings.secret_grace_seconds:
        return gave_up(run, AttemptFailure(FailureClass.SECRET_NOT_FOUND, refusal.message))
    if refusal.reason == reasons.DRIVER_REFUSED and (ended := refused_memory(run, refusal.message)):
        return ended
    over_quota = refusal.reason == reasons.QUOTA_EXCEEDED
    temporary = refusal.reason in TEMPORARY
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
    longest = LONGEST_WAIT_FOR_SECRET if missing_secret else LONGEST_WAIT
    if over_quota and run.observed.quota:
        longest = LONGEST_WAIT_FOR_QUOTA
    return Plan((), status, requeue_after=min(max(lasted, FIRST_WAIT), longest))
