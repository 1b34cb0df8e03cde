"""Events of a model, derived from the difference of two statuses: each once, after its status is written."""

from __future__ import annotations

from featx_api.text import shortened_to_bytes
from featx_api.vision_model import VisionModelStatus

from featx_operator.decisions import reasons
from featx_operator.decisions.events import NOTE_LIMIT, Event

#: Steps of every check.
_QUIET = (reasons.CHECKING, reasons.PENDING, reasons.STARTING, reasons.QUEUED, reasons.TERMINATING)


def model_events(before: VisionModelStatus, after: VisionModelStatus) -> list[Event]:
    """The Events of one change of a model's status.

    Args:
        before: The status as it was.
        after: The status as it is now.
    """
    old, new = ({condition.type: condition for condition in status.conditions} for status in (before, after))
    ready, was = new.get("Ready"), old.get("Ready")
    if ready is None or ready.reason in _QUIET:
        return []
    if was and (was.status, was.reason) == (ready.status, ready.reason):
        return []
    note = shortened_to_bytes(ready.message or ready.reason, NOTE_LIMIT)
    return [Event("Normal" if ready.status == "True" else "Warning", ready.reason, note)]
