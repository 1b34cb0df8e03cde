"""A resource that the operator can't reconcile says so itself: its owner does not read the operator's log."""

from __future__ import annotations

from datetime import datetime

from featx_api.status import Condition, FeatureExtractionStatus
from pydantic import ValidationError

from featx_operator.decisions import conditions, reasons
from featx_operator.decisions.conditions import Finding
from featx_operator.decisions.status import with_changes
from featx_operator.objects import Body


def stalled_of(body: Body) -> Condition | None:
    """The condition Stalled of a resource, or None if it has none or one that can't be read."""
    written = (body.get("status") or {}).get("conditions") or ()
    try:
        return next((Condition.from_wire(item) for item in written if item.get("type") == "Stalled"), None)
    except ValidationError:
        return None


def stalled(before: Condition | None, cause: str, now: datetime, generation: int) -> Condition:
    """The condition Stalled of a resource whose reconcile keeps failing.

    Args:
        before: The condition as it was last written.
        cause: What kind of error it is. Never an error's text, which may hold data.
        now: The time, in UTC.
        generation: The resource's metadata.generation.
    """
    message = f"the operator can't reconcile this resource ({cause}) and keeps retrying; its log has the details"
    finding = Finding("True", reasons.INTERNAL_ERROR, message)
    (condition,) = conditions.merged([before] if before else [], {"Stalled": finding}, now, generation)
    return condition


def cleared(status: FeatureExtractionStatus, now: datetime) -> FeatureExtractionStatus:
    """The status without the report of an error that is gone."""
    if conditions.reason_of(status.conditions, "Stalled") != reasons.INTERNAL_ERROR:
        return status
    end = conditions.find(status.conditions, "Succeeded")
    failed = end is not None and end.status == "False"
    finding = Finding("True", end.reason, end.message) if end and failed else Finding("False", reasons.AS_EXPECTED)
    merged = conditions.merged(status.conditions, {"Stalled": finding}, now, status.observed_generation)
    return with_changes(status, conditions=merged)
