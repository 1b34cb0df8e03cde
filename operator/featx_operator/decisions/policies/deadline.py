"""spec.activeDeadlineSeconds: how long a run may take over all of its attempts.

It starts over on resume, and when Kueue admits the run; time in a queue of Kueue does not count.
"""

from __future__ import annotations

from featx_api.failures import FailureClass
from featx_api.status import Failure

from featx_operator.decisions import conditions, reasons
from featx_operator.decisions.policies.end import finished
from featx_operator.decisions.run import Plan, Run


def seconds_left(run: Run) -> float | None:
    """The seconds until the deadline, or None if there is none, or the run has not started or is in a queue."""
    limit, start = run.resource.spec.active_deadline_seconds, run.before.start_time
    queued = conditions.reason_of(run.before.conditions, "QuotaReserved") in reasons.IN_QUEUE
    if queued and run.observed.workload:
        return None
    return None if limit is None or start is None else limit - run.seconds_since(start)


def exceeded(run: Run) -> Plan | None:
    """Fails a run whose deadline has passed; its pods are stopped once that is recorded."""
    left = seconds_left(run)
    if left is None or left > 0:
        return None
    text = f"not finished within spec.activeDeadlineSeconds ({run.resource.spec.active_deadline_seconds})"
    failure = Failure(class_=FailureClass.DEADLINE_EXCEEDED, message=text)
    return finished(run, "False", failure.class_, text, failure=failure)
