"""Events, derived from the difference of two statuses: each is emitted once, and only after its status is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from featx_api.status import ConditionType, FeatureExtractionStatus, RaisedMemory
from featx_api.text import shortened_to_bytes

from featx_operator.decisions import conditions, reasons
from featx_operator.decisions.conditions import Finding

NOTE_LIMIT = 1024  # bytes, the API server's
#: States without an Event of their own: steps of every run, and what other Events say already.
_QUIET = (
    *(reasons.PENDING, reasons.STARTING, reasons.RUNNING, reasons.EXECUTORS_PENDING, reasons.BACKING_OFF),
    *(reasons.SUSPENDING, reasons.SUSPENDED, reasons.RESUMED),
)
_NORMAL = (reasons.CALIBRATING, reasons.TERMINATING, reasons.RETRYING)
_EXPECTED = (reasons.WAITING, reasons.DRIVER_NOT_READY, reasons.FINISHED)  # of executors that are not ready


class Event(NamedTuple):
    """An Event about a run."""

    type: Literal["Normal", "Warning"]
    reason: str
    note: str


def events_between(before: FeatureExtractionStatus, after: FeatureExtractionStatus) -> list[Event]:
    """The Events of one change of status, in the order of a run's life; at most one for each reason."""
    events = {event.reason: event for event in reversed(list(_events(before, after)))}
    return [event._replace(note=shortened_to_bytes(event.note, NOTE_LIMIT)) for event in reversed(events.values())]


def _events(before: FeatureExtractionStatus, after: FeatureExtractionStatus) -> Iterator[Event]:
    def became(kind: ConditionType, status: str) -> Finding | None:
        """The condition if it has just changed to this status, or has another reason now; None otherwise."""
        old, new = conditions.find(before.conditions, kind), conditions.find(after.conditions, kind)
        if new is None or new.status != status or (old and (old.status, old.reason) == (new.status, new.reason)):
            return None
        return Finding(new.status, new.reason, new.message or new.reason)

    if accepted := became("Accepted", "True"):
        last = conditions.find(before.conditions, "Accepted")
        if accepted.reason == reasons.SPEC_CHANGE_IGNORED:
            yield Event("Warning", accepted.reason, accepted.message)
        elif last and last.status != "True":  # of a new run it is no news
            yield Event("Normal", reasons.ACCEPTED, "the spec is valid")
    if refused := became("Accepted", "False"):
        yield Event("Warning", refused.reason, refused.message)
    if (quota := became("QuotaReserved", "False")) and quota.reason in reasons.WITHOUT_QUOTA:
        yield Event("Normal" if quota.reason == reasons.QUEUED else "Warning", quota.reason, quota.message)
    if after.workload and not before.workload and (admitted := became("QuotaReserved", "True")):
        yield Event("Normal", reasons.ADMITTED, admitted.message)
    if after.driver and (before.driver is None or before.driver.pod_uid != after.driver.pod_uid):
        yield Event("Normal", reasons.DRIVER_CREATED, f"created driver pod {after.driver.pod_name}")
    yield from _of_attempt(before, after)
    if became("Suspended", "True"):
        yield Event("Normal", reasons.SUSPENDED, "all pods have stopped")
    elif conditions.is_true(before.conditions, "Suspended") and became("Suspended", "False"):
        yield Event("Normal", reasons.RESUMED, f"resuming with attempt {after.attempt}")
    if (state := became("Succeeded", "Unknown")) and state.reason not in _QUIET:
        yield Event("Normal" if state.reason in _NORMAL else "Warning", state.reason, state.message)
    if (executors := became("ExecutorsReady", "False")) and executors.reason not in _EXPECTED:
        yield Event("Warning", reasons.EXECUTORS_PENDING, f"executors: {executors.reason}: {executors.message}")
    if end := became("Succeeded", "True"):
        yield Event("Normal", reasons.SUCCEEDED, end.message)
    if end := became("Succeeded", "False"):
        yield Event("Warning", reasons.FAILED, end.message)
    elif (stalled := became("Stalled", "True")) and not became("Accepted", "False"):
        yield Event("Warning", stalled.reason, stalled.message)


def _of_attempt(before: FeatureExtractionStatus, after: FeatureExtractionStatus) -> Iterator[Event]:
    """The Events of an attempt that has ended without success."""
    driver = conditions.reason_of(after.conditions, "DriverReady")
    follows = after.attempt > before.attempt and driver in (reasons.BACKING_OFF, reasons.DISRUPTED)
    reported = after.failure is not None and after.failure.class_ == reasons.EXECUTORS_NOT_STARTED  # by its own Event
    if after.failure and not reported and (follows or after.failed_attempts > before.failed_attempts):
        disrupted = follows and driver == reasons.DISRUPTED
        text = f"attempt {before.attempt}: {after.failure.class_}: {after.failure.message}"
        yield Event("Warning", reasons.DISRUPTED if disrupted else reasons.ATTEMPT_FAILED, text)
    if after.memory and after.memory != before.memory:
        old, new = before.memory or RaisedMemory(), after.memory
        whose, percent = (
            ("the driver", new.driver_percent)
            if new.driver_percent != old.driver_percent
            else ("executors", new.executor_percent)
        )
        yield Event(
            "Normal", reasons.MEMORY_RAISED, f"attempt {after.attempt} gets {percent} % of the memory for {whose}"
        )
