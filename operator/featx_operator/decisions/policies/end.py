"""How a driver ended, and the status of a finished run.

The driver's own report, its termination message, takes precedence. Without one the pod's state decides: a kill for
memory, an eviction or a lost node says nothing about the run itself, so another attempt may succeed. A run succeeds
only if its driver reports success: exit code 0 alone does not prove that the table is complete.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack

from featx_api.contract import ExitCode, Outcome
from featx_api.failures import FailureClass
from featx_api.status import MESSAGE_LIMIT, Executors, Failure
from featx_api.text import shortened
from pydantic import ValidationError

from featx_operator.decisions import reasons
from featx_operator.decisions.conditions import Finding, Truth
from featx_operator.decisions.policies.progress import final_progress, stamped
from featx_operator.decisions.run import Plan, Run, whole
from featx_operator.decisions.status import StatusChanges
from featx_operator.state.observed import Pod

KILLED_EXIT = 137  # by the kernel
NOT_STARTED = ("StartError", "ContainerCannotRun")  # reasons of a container that the runtime could not start
_OUT_OF_MEMORY = (FailureClass.DRIVER_OUT_OF_MEMORY, FailureClass.JVM_LOST, FailureClass.OUT_OF_MEMORY)


@dataclass(frozen=True)
class AttemptFailure:
    """Why an attempt failed.

    Attributes:
        disruption: Whether the cluster or somebody ended it, so that it says nothing about the run.
    """

    class_: FailureClass
    message: str
    disruption: bool = False

    def to_status(self) -> Failure:
        """The form that the resource's status shows."""
        return Failure(class_=self.class_, message=shortened(self.message, MESSAGE_LIMIT))


def outcome_of(run: Run, driver: Pod) -> Outcome | None:
    """The result that an ended driver reported, or None if it reported none or it is malformed."""
    if not driver.ended or driver.exit is None or not driver.exit.message:
        return None
    try:
        outcome = Outcome.from_json(driver.exit.message)
    except ValidationError:
        return None
    folder = run.resource.spec.output.uri.rstrip("/")
    addresses = [address for table in outcome.outputs for address in (table.uri, table.manifest) if address]
    return outcome if all(is_below(folder, address) for address in addresses) else None


def is_below(folder: str, address: str) -> bool:
    """Whether an address is that of a folder or of something in it."""
    return address == folder or (address.startswith(f"{folder}/") and ".." not in address.split("/"))


def failure_of(run: Run, driver: Pod) -> AttemptFailure:
    """Why an ended driver that did not succeed has failed."""
    outcome = outcome_of(run, driver)
    if outcome and outcome.failure:
        reported = _reported(run, outcome.failure, outcome.retryable)
        # Whatever fails while the pod is stopped from outside fails because of that.
        stopped = (driver.disruption or driver.deleting) and reported.class_.retryable
        if not stopped or reported.class_ in _OUT_OF_MEMORY:
            return reported
    if driver.exit and driver.exit.reason == "OOMKilled":
        text = f"{driver.name} exceeded its memory limit: raise spec.execution.driverMemory"
        return AttemptFailure(FailureClass.DRIVER_OUT_OF_MEMORY, text)
    if driver.disruption:
        text = f"{driver.name}: {driver.disruption}. {driver.message}".strip()
        return AttemptFailure(FailureClass.DRIVER_EVICTED, text, disruption=True)
    if driver.deleting:
        return lost(driver.name)
    if driver.exit is None:
        text = f"{driver.name} failed before it started. {driver.message}".strip()
        return AttemptFailure(FailureClass.DRIVER_LOST, text)
    if driver.exit.reason in NOT_STARTED:
        text = f"{driver.name} can't be started: {driver.exit.reason}: {driver.exit.message}"
        return AttemptFailure(FailureClass.CONTAINER_CONFIG_ERROR, text)
    code = driver.exit.code
    if code == KILLED_EXIT:
        return AttemptFailure(FailureClass.DRIVER_EXITED, f"{driver.name} was killed (exit code {code})")
    text = f"{driver.name} exited with code {code} without reporting a result; see `kubectl logs {driver.name}`"
    return AttemptFailure(
        FailureClass.DRIVER_FAILED if code == ExitCode.PERMANENT else FailureClass.DRIVER_EXITED, text
    )


def _reported(run: Run, failure: Failure, retryable: bool) -> AttemptFailure:
    """A driver's failure. A class of another version may not even be a valid reason, so it is quoted."""
    killed = run.before.executors.killed_for_memory if run.before.executors else 0
    if failure.class_ == FailureClass.EXECUTOR_LOST and killed:
        text = f"{killed} executor pods exceeded their memory limit: raise spec.execution.memory. {failure.message}"
        return AttemptFailure(FailureClass.OUT_OF_MEMORY, text)
    if known := FailureClass.named(failure.class_):
        return AttemptFailure(known, failure.message)
    text = f"the driver reported a failure of unknown class {failure.class_!r}: {failure.message}"
    class_ = FailureClass.UNKNOWN_FAILURE if retryable else FailureClass.UNKNOWN_PERMANENT_FAILURE
    return AttemptFailure(class_, text)


def lost(name: str) -> AttemptFailure:
    """The failure of a driver that no longer exists."""
    text = f"{name} was deleted before it finished, or lost with its node"
    return AttemptFailure(FailureClass.DRIVER_LOST, text, disruption=True)


def completed(run: Run) -> Plan | None:
    """Ends the run as succeeded if the current driver reports success."""
    driver = run.driver
    outcome = outcome_of(run, driver) if driver else None
    if driver is None or outcome is None or outcome.result != "Succeeded":
        return None
    progress = outcome.progress or final_progress(run)
    count = sum(table.record_count for table in outcome.outputs if table.kind == "features")
    text = f"{count} features" + (f", {progress.images_failed} images in quarantine" if progress else "")
    ended_at = driver.exit.at if driver.exit else None
    ended_at = min(ended_at, run.now) if ended_at else None  # a node's clock may be ahead
    return finished(
        run,
        "True",
        reasons.COMPLETED,
        text,
        completion_time=whole(ended_at or run.now),
        outputs=outcome.outputs,
        failure=None,
        progress=stamped(run, progress) if progress else None,
    )


def gave_up(run: Run, end: AttemptFailure) -> Plan:
    """Fails the run because it can't start. That is nobody's attempt, so nothing is counted."""
    failure = end.to_status()
    return finished(run, "False", failure.class_, failure.message, failure=failure)


def refused_memory(run: Run, refusal: str) -> Plan | None:
    """Fails a run whose pods are refused because an attempt ran out of memory and got more; None for any other."""
    failure = run.before.failure
    if run.before.memory is None or failure is None:
        return None
    class_ = FailureClass.named(failure.class_) or FailureClass.DRIVER_OUT_OF_MEMORY
    return gave_up(run, AttemptFailure(class_, f"{failure.message}; half more memory is refused: {refusal}"))


def finished(run: Run, succeeded: Truth, reason: str, message: str, **changes: Unpack[StatusChanges]) -> Plan:
    """Ends the run; requeued at once, since remaining pods are stopped only after the end is recorded."""
    failed = succeeded == "False"
    over = Finding("False", reasons.FINISHED)
    fields: StatusChanges = {
        "completion_time": whole(run.now),
        "next_attempt_time": None,
        "executors": Executors(desired=0, ready=0),
        "driver": run.before.driver,
        "progress": final_progress(run),
        **changes,
    }
    status = run.report(
        {
            "DriverReady": over,
            "ExecutorsReady": over,
            "Succeeded": Finding(succeeded, reason, message),
            "Reconciling": over,
            "Stalled": Finding("True", reason, message) if failed else Finding("False", reasons.AS_EXPECTED),
        },
        **fields,
    )
    return Plan((), status, requeue_after=0)
