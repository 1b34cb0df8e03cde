"""Conditions as KEP-1623 defines them: one per type; lastTransitionTime changes only when the status does.

Complete, Failed and Finished follow from Succeeded, as those of a Job: `kubectl wait --for=condition=Finished` returns
however a run ends, since Finished is True at both ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal, NamedTuple, get_args

from featx_api.status import Condition, ConditionType
from featx_api.text import shortened

from featx_operator.decisions import reasons

Truth = Literal["True", "False", "Unknown"]
MESSAGE_LIMIT = 1024
ORDER: tuple[ConditionType, ...] = get_args(ConditionType)


class Finding(NamedTuple):
    """The status, reason and message that a condition should have."""

    status: Truth
    reason: str
    message: str = ""


Findings = dict[ConditionType, Finding]
FOLLOWING: tuple[ConditionType, ...] = ("Complete", "Failed", "Finished")


def find(conditions: Iterable[Condition], kind: ConditionType) -> Condition | None:
    """The condition of a type, or None if it was never written."""
    return next((condition for condition in conditions if condition.type == kind), None)


def is_true(conditions: Iterable[Condition], kind: ConditionType) -> bool:
    """Whether the condition of a type exists and is True."""
    condition = find(conditions, kind)
    return condition is not None and condition.status == "True"


def reason_of(conditions: Iterable[Condition], kind: ConditionType) -> str:
    """The reason of the condition of a type, or an empty string."""
    condition = find(conditions, kind)
    return condition.reason if condition else ""


def merged(
    before: Iterable[Condition], findings: Mapping[ConditionType, Finding], now: datetime, generation: int
) -> list[Condition]:
    """All conditions with the findings applied, in the API's order.

    Args:
        before: The conditions of the resource; types without a finding keep their state.
        findings: What the conditions should be, except those that follow from Succeeded.
        now: Transition time of those whose status changes.
        generation: The metadata.generation that all of them are about: `kubectl wait` ignores an older condition.
    """
    by_type = {condition.type: condition.model_copy(update={"observed_generation": generation}) for condition in before}
    for kind, finding in findings.items():
        last = by_type.get(kind)
        by_type[kind] = Condition(
            type=kind,
            status=finding.status,
            reason=finding.reason,
            message=shortened(finding.message, MESSAGE_LIMIT),
            last_transition_time=last.last_transition_time if last and last.status == finding.status else now,
            observed_generation=generation,
        )
    if succeeded := by_type.get("Succeeded"):
        by_type |= {kind: _following(by_type.get(kind), kind, succeeded) for kind in FOLLOWING}
    return [by_type[kind] for kind in ORDER if kind in by_type]


def _following(last: Condition | None, kind: ConditionType, succeeded: Condition) -> Condition:
    """A condition that follows from Succeeded. Only Failed repeats its message: a status has a limit."""
    ended = succeeded.status != "Unknown"
    holds = ended and {"Complete": succeeded.status == "True", "Failed": succeeded.status == "False"}.get(kind, True)
    reason = succeeded.reason
    if ended and kind != "Failed":
        cancelled = reason == reasons.CANCELLED
        reason = reasons.SUCCEEDED if succeeded.status == "True" else reason if cancelled else reasons.FAILED
    status: Truth = "True" if holds else "False"
    unchanged = last is not None and last.status == status
    return Condition(
        type=kind,
        status=status,
        reason=reason,
        message=succeeded.message if holds and kind == "Failed" else "",
        last_transition_time=last.last_transition_time if last and unchanged else succeeded.last_transition_time,
        observed_generation=succeeded.observed_generation,
    )
