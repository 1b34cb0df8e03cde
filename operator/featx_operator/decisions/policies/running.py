"""A running driver: how far it is, how many of its executors are ready, and what it waits for."""

from __future__ import annotations

from featx_api.status import Driver, Executors, Progress

from featx_operator.decisions import reasons
from featx_operator.decisions.conditions import Finding
from featx_operator.decisions.policies import executors
from featx_operator.decisions.policies.progress import throttled
from featx_operator.decisions.policies.waits import OURS
from featx_operator.decisions.run import Plan, Run, whole
from featx_operator.decisions.status import validated_copy
from featx_operator.state.observed import Pod


def report_running(run: Run, driver: Pod) -> Plan:
    """Reports the progress of a running driver."""
    pods = run.observed.executors(driver)
    ready = sum(pod.ready for pod in pods)
    # With dynamic allocation Spark decides how many it wants: every pod that it created counts.
    desired = run.executors(driver) or max(run.resource.spec.execution.wanted, len(pods))
    counted = executors.counted(run, driver, Executors(desired=desired, ready=ready))
    executors_ready = _executors_ready(pods, ready, desired)
    left = executors.seconds_left(run, counted)
    if left is not None and left <= 0:
        return executors.not_started(run, executors_ready.message)
    progress, reported, again = throttled(run, counted)
    state = _state(progress, executors_ready, len(pods), ready)
    recorded = run.before.driver.start_time if run.before.driver else None
    status = run.report(
        {
            "QuotaReserved": Finding("True", reasons.RESERVED),
            "DriverReady": Finding("True", reasons.RUNNING),
            "ExecutorsReady": executors_ready,
            "Succeeded": state,
            "Reconciling": state._replace(status="True"),
        },
        driver=Driver(
            pod_name=driver.name, pod_uid=driver.uid, start_time=recorded or driver.started or whole(run.now)
        ),
        progress=progress,
        executors=_with_killed(run, driver, reported),
        next_attempt_time=None,
    )
    return Plan((), status, requeue_after=again if left is None else min(left, again or left))


def _state(progress: Progress | None, executors: Finding, pods: int, ready: int) -> Finding:
    """What the run is doing: the driver's own word, if it waits for something, and otherwise what is seen of its pods.

    A driver without executors prepares the run, or publishes its table, unless it still has shards to process.
    """
    if progress and progress.waiting_reason:
        return Finding("Unknown", progress.waiting_reason, progress.waiting or "")
    unfinished = progress is not None and progress.shards_done < progress.shards_total
    if not ready and (pods or unfinished):
        return Finding("Unknown", reasons.EXECUTORS_PENDING, executors.message or "no executor is ready")
    return Finding("Unknown", reasons.RUNNING)


def _executors_ready(pods: list[Pod], ready: int, desired: int) -> Finding:
    if ready >= desired:
        return Finding("True", reasons.ALL_READY)
    waiting = next((pod.waiting for pod in pods if not pod.ready and pod.waiting and pod.waiting.message), None)
    if waiting:
        reason = OURS.get(waiting.reason, waiting.reason)
        return Finding("False", reasons.valid(reason, reasons.WAITING), waiting.message)
    return Finding("False", reasons.WAITING)


def _with_killed(run: Run, driver: Pod, executors: Executors) -> Executors:
    """The executors with how many were killed for memory: Spark deletes such a pod soon, so that it is seen once."""
    killed = sum(pod.exit is not None and pod.exit.reason == "OOMKilled" for pod in run.observed.all_executors(driver))
    before = run.before.executors.killed_for_memory if run.before.executors else 0
    return validated_copy(executors, killed_for_memory=max(killed, before))
