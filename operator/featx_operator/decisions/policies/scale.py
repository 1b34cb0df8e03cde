"""spec.execution.executors: a change of a fixed number takes effect while the attempt works, and costs no work.

The driver learns the number from an annotation of its own pod. A ResourceQuota has no say here: the API server checks
it when a pod is created, and Spark tries again until it fits.
"""

from __future__ import annotations

from featx_operator.decisions.run import Plan, Run, ScaleExecutors
from featx_operator.state.observed import Pod


def scaled(run: Run, driver: Pod) -> Plan | None:
    """Changes the number of executors that a driver is to have; None if it has been asked for that number."""
    wanted = run.executors(driver)
    # A refused change is reported as one that the attempt does not see, and tried again at the next event.
    if wanted is None or wanted == driver.executors or run.observed.refusal:
        return None
    return Plan((ScaleExecutors(driver.name, driver.uid, wanted),), run.before)
