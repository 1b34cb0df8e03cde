"""spec.cancel: ends a run for good; its pods are stopped once that is recorded, and what is done is kept."""

from __future__ import annotations

from featx_api.failures import FailureClass
from featx_api.status import Failure

from featx_operator.decisions.policies.end import finished
from featx_operator.decisions.run import Plan, Run


def cancelled(run: Run) -> Plan | None:
    """Ends a run that is to be cancelled, whatever it is doing."""
    if not run.resource.spec.cancel:
        return None
    text = "spec.cancel is true; what was done is kept"
    failure = Failure(class_=FailureClass.CANCELLED, message=text)
    return finished(run, "False", failure.class_, text, failure=failure)
