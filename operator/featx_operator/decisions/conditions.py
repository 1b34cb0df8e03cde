"""Conditions after KEP-1623: one entry a type, and lastTransitionTime moves only when the status does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal, NamedTuple, get_args

from featx_api.status import Condition, ConditionType

Truth = Literal["True", "False", "Unknown"]
MESSAGE_LIMIT = 1024
ORDER: tuple[ConditionType, ...] = get_args(ConditionType)


class Finding(NamedTuple):
    """What a condition is to say."""

    status: Truth
    reason: str
    message: str = ""


Findings = dict[ConditionType, Finding]


def find(conditions: Iterable[Condition], kind: ConditionType) -> Condition | None:
    """Returns the condition of a type, or None if it was never written."""
    return next((condition for condition in conditions if condition.type == kind), None)


def is_true(conditions: Iterable[Condition], kind: ConditionType) -> bool:
    """Tells whether the condition is there and True."""
    condition = find(conditions, kind)
    return condition is not None and condition.status == "True"


def reason_of(conditions: Iterable[Condition], kind: ConditionType) -> str:
    """Returns the condition's reason, or an empty string."""
    condition = find(conditions, kind)
    return condition.reason if condition else ""


def merged(
    before: Iterable[Condition], findings: Mapping[ConditionType, Finding], now: datetime, generation: int
) -> list[Condition]:
    """Returns all conditions with the findings in place, in the API's order.

    Args:
        before: the conditions as they stand in the resource; types without a finding are kept.
        findings: what is to be said now.
        now: time of transition for those whose status changes.
        generation: metadata.generation that the findings are about.
    """
    known = {condition.type: condition for condition in before}
    for kind, finding in findings.items():
        last = known.get(kind)
        known[kind] = Condition(
            type=kind,
            status=finding.status,
            reason=finding.reason,
            message=shortened(finding.message),
            last_transition_time=last.last_transition_time if last and last.status == finding.status else now,
            observed_generation=generation,
        )
    return [known[kind] for kind in ORDER if kind in known]


def shortened(message: str, limit: int = MESSAGE_LIMIT) -> str:
    """Returns the message, cut with an ellipsis if it is longer than the limit."""
    return message if len(message) <= limit else message[: limit - 1] + "…"
