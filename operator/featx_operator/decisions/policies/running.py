"""A running driver: how many of its executors are ready, and how far it is."""

from __future__ import annotations

from featx_api.status import Driver, Executors

from featx_operator.decisions import reasons
from featx_operator.decisions.conditions import Finding
from featx_operator.decisions.policies import executors
from featx_operator.decisions.policies.progress import throttled
from featx_operator.decisions.run import Plan, Run
from featx_operator.state.observed import Pod


def report_running(run: Run, driver: Pod) -> Plan:
    """Reports the progress of a running driver."""
    pods = run.observed.executors(driver)
    ready = sum(pod.ready for pod in pods)
    # With dynamic allocation Spark decides how many it wants: every pod that it created counts.
    desired = max(run.resource.spec.execution.wanted, len(pods))
    counted = executors.counted(run, driver, Executors(desired=desired, ready=ready))
    left = executors.seconds_left(run, counted)
    if left is not None and left <= 0:
        return executors.not_started(run, _executors_ready(pods, ready, desired).message)
    progress, reported, again = throttled(run, counted)
    status = run.report(
        {
            "QuotaReserved": Finding("True", reasons.RESERVED),
            "DriverReady": Finding("True", reasons.RUNNING),
            "ExecutorsReady": _executors_ready(pods, ready, desired),
            "Succeeded": Finding("Unknown", reasons.RUNNING),
            "Reconciling": Finding("True", reasons.RUNNING),
        },
        driver=Driver(pod_name=driver.name, pod_uid=driver.uid),
        progress=progress,
        executors=reported,
        next_attempt_time=None,
    )
    return Plan((), status, requeue_after=again if left is None else min(left, again or left))


def _executors_ready(pods: list[Pod], ready: int, desired: int) -> Finding:
    if ready >= desired:
        return Finding("True", reasons.ALL_READY)
    waiting = next((pod.waiting for pod in pods if not pod.ready and pod.waiting and pod.waiting.message), None)
    if waiting:
        return Finding("False", reasons.valid(waiting.reason, reasons.WAITING), waiting.message)
    return Finding("False", reasons.WAITING)
