"""How a driver ended, and what a finished run's status is.

The driver's own word (its termination message) comes first. Without it the pod tells: the kernel's out-of-memory
killer, an eviction and a lost node say nothing about the run itself, so another attempt may succeed. A run succeeds
only by the driver's word: an exit code of 0 alone is no proof that the table is complete.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from featx_api.contract import ExitCode, Outcome
from featx_api.status import Driver, Executors, Failure
from pydantic import ValidationError

from featx_operator.decisions import reasons
from featx_operator.decisions.conditions import Finding, Truth
from featx_operator.decisions.policies.progress import final_progress
from featx_operator.decisions.run import Plan, Run, whole
from featx_operator.state.observed import Pod

KILLED_EXIT = 137  # by the kernel


@dataclass(frozen=True)
class AttemptFailure:
    """Why an attempt failed, and whether another one may fare better."""

    failure: Failure
    retryable: bool


def outcome_of(driver: Pod) -> Outcome | None:
    """Returns what an ended driver said, or None if it said nothing that can be understood."""
    if not driver.ended or driver.exit is None or not driver.exit.message:
        return None
    try:
        return Outcome.model_validate_json(driver.exit.message)
    except ValidationError:
        return None


def failure_of(driver: Pod) -> AttemptFailure:
    """Returns why an ended driver that did not succeed has failed."""
    outcome = outcome_of(driver)
    if outcome and outcome.failure:
        return AttemptFailure(outcome.failure, outcome.retryable)
    if driver.disruption:
        return _failed(reasons.DRIVER_EVICTED, f"{driver.name}: {driver.disruption}. {driver.message}".strip(), True)
    if driver.exit is None:
        return _failed(reasons.DRIVER_LOST, f"{driver.name} failed without having run. {driver.message}".strip(), True)
    if driver.exit.reason == "OOMKilled":
        text = f"{driver.name} used more memory than it may: raise spec.execution.driverMemory"
        return _failed(reasons.OUT_OF_MEMORY, text, True)
    code = driver.exit.code
    text = f"{driver.name} ended with exit code {code} and left no outcome; `kubectl logs {driver.name}` may tell why"
    if code == KILLED_EXIT:
        text = f"{driver.name} was killed (exit code {code})"
    return _failed(reasons.DRIVER_EXITED, text, code != ExitCode.PERMANENT)


def lost(name: str) -> AttemptFailure:
    """Returns the failure of a driver that is not there any more."""
    return _failed(reasons.DRIVER_LOST, f"{name} was deleted before it had ended", True)


def completed(run: Run) -> Plan | None:
    """Ends the run as succeeded, if the current driver says that it is complete."""
    driver = run.observed.driver(run.attempt)
    outcome = outcome_of(driver) if driver else None
    if driver is None or outcome is None or outcome.result != "Succeeded":
        return None
    progress = outcome.progress or final_progress(run)
    count = sum(table.record_count for table in outcome.outputs if table.kind == "features")
    text = f"{count} features" + (f", {progress.images_failed} images in quarantine" if progress else "")
    ended = driver.exit.at if driver.exit else None
    return finished(
        run,
        "True",
        reasons.COMPLETED,
        text,
        completion_time=whole(ended or run.now),
        outputs=outcome.outputs,
        failure=None,
        **({"progress": progress.model_copy(update={"last_update_time": whole(run.now)})} if progress else {}),
    )


def finished(run: Run, succeeded: Truth, reason: str, message: str, **changes: Any) -> Plan:
    """Ends the run; looked at again at once, since pods that still run are stopped only when the end is on record."""
    failed = succeeded == "False"
    over = Finding("False", reasons.FINISHED)
    status = run.report(
        {
            "DriverReady": over,
            "ExecutorsReady": over,
            "Succeeded": Finding(succeeded, reason, message),
            "Reconciling": over,
            "Stalled": Finding("True", reason, message) if failed else Finding("False", reasons.AS_EXPECTED),
        },
        **{
            "completion_time": whole(run.now),
            "next_attempt_time": None,
            "executors": Executors(desired=0, ready=0),
            "driver": Driver(pod_name=run.before.driver.pod_name) if run.before.driver else None,
            **({"progress": final_progress(run)} if failed else {}),
            **changes,
        },
    )
    return Plan((), status, requeue_after=0)


def _failed(class_: str, message: str, retryable: bool) -> AttemptFailure:
    return AttemptFailure(Failure(**{"class": class_}, message=message), retryable)
