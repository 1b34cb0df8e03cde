"""Events, derived from the difference of two statuses: each is emitted once, and only after its status is written."""

from __future__ import annotations

from typing import Literal, NamedTuple

from featx_api.status import ConditionType, FeatureExtractionStatus
from featx_api.text import shortened_to_bytes

from featx_operator.decisions import conditions, reasons

NOTE_LIMIT = 1024  # bytes, the API server's


class Event(NamedTuple):
    """An Event about a run."""

    type: Literal["Normal", "Warning"]
    reason: str
    note: str


def events_between(before: FeatureExtractionStatus, after: FeatureExtractionStatus) -> list[Event]:
    """The Events of one change of status, in the order of a run's life."""

    def became(kind: ConditionType, status: str) -> str | None:
        """The condition's message if it has just changed to this status, or has another reason now; None otherwise."""
        old, new = conditions.find(before.conditions, kind), conditions.find(after.conditions, kind)
        if new is None or new.status != status or (old and (old.status, old.reason) == (new.status, new.reason)):
            return None
        return new.message or new.reason

    events: list[Event] = []
    if conditions.find(before.conditions, "Accepted") and became("Accepted", "True"):  # of a new run it is no news
        events.append(Event("Normal", reasons.ACCEPTED, "the spec is valid"))
    if note := became("Accepted", "False"):
        events.append(Event("Warning", conditions.reason_of(after.conditions, "Accepted"), note))
    quota = conditions.reason_of(after.conditions, "QuotaReserved")
    if (note := became("QuotaReserved", "False")) and quota in reasons.WITHOUT_QUOTA:
        events.append(Event("Normal" if quota == reasons.QUEUED else "Warning", quota, note))
    if after.workload and not before.workload and (note := became("QuotaReserved", "True")):
        events.append(Event("Normal", reasons.ADMITTED, note))
    if after.driver and (before.driver is None or before.driver.pod_uid != after.driver.pod_uid):
        events.append(Event("Normal", reasons.DRIVER_CREATED, f"created driver pod {after.driver.pod_name}"))
    if after.failed_attempts > before.failed_attempts and after.failure:
        text = f"attempt {before.attempt}: {after.failure.class_}: {after.failure.message}"
        events.append(Event("Warning", reasons.ATTEMPT_FAILED, text))
    if became("Suspended", "True"):
        events.append(Event("Normal", reasons.SUSPENDED, "all pods have stopped"))
    elif conditions.is_true(before.conditions, "Suspended") and became("Suspended", "False"):
        events.append(Event("Normal", reasons.RESUMED, f"resuming with attempt {after.attempt}"))
    if note := became("Succeeded", "True"):
        events.append(Event("Normal", reasons.SUCCEEDED, note))
    if note := became("Succeeded", "False"):
        events.append(Event("Warning", reasons.FAILED, note))
    elif (note := became("Stalled", "True")) and not became("Accepted", "False"):
        events.append(Event("Warning", conditions.reason_of(after.conditions, "Stalled"), note))
    return [event._replace(note=shortened_to_bytes(event.note, NOTE_LIMIT)) for event in events]
