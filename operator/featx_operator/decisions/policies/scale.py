"""spec.execution.executors: a change of a fixed number takes effect while the attempt works, and costs no work.

The driver learns the number from an annotation of its own pod. A ResourceQuota has no say here: the API server checks
it when a pod is created, and Spark tries again until it fits.
"""

from __future__ import annotations

from dataclasses import replace

from featx_operator.decisions.run import Plan, Run, ScaleExecutors
from featx_operator.state.observed import Pod

RETRY_SECONDS = 15.0  # after a refusal: somebody may grant the right, and no event says so


def scaled(run: Run, driver: Pod) -> Plan | None:
    """Changes the number of executors that a driver is to have; None if it has been asked for that number."""
    wanted = run.executors(driver)
    # A refused change is reported as one that the attempt does not see.
    if wanted is None or wanted == driver.executors or run.observed.refusal:
        return None
    return Plan((ScaleExecutors(driver.name, driver.uid, wanted),), run.before)


def retried(run: Run, decision: Plan) -> Plan:
    """The decision, with the next plan soon if the API server has refused to change the driver."""
    if run.observed.refusal is None:
        return decision
    again = decision.requeue_after
    return replace(decision, requeue_after=RETRY_SECONDS if again is None else min(again, RETRY_SECONDS))
