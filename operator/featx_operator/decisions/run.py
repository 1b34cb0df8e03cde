"""One run as the policies see it, and the one way to say what its status shall be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from featx_api.resource import FeatureExtraction
from featx_api.status import ConditionType, FeatureExtractionStatus

from featx_operator.decisions import conditions, reasons
from featx_operator.decisions.conditions import Finding
from featx_operator.settings import Settings
from featx_operator.state.observed import Observed


@dataclass(frozen=True)
class CreateAttempt:
    """Create (or adopt) an attempt's ConfigMap, then its driver pod."""

    attempt: int


@dataclass(frozen=True)
class DeletePod:
    """Delete this very pod; one of the same name but another uid is left alone."""

    name: str
    uid: str


@dataclass(frozen=True)
class DeleteConfigMap:
    """Delete a ConfigMap of the run."""

    name: str


Action = CreateAttempt | DeletePod | DeleteConfigMap


@dataclass(frozen=True)
class Plan:
    """What to do now, what to report, and when to look again without being asked.

    Attributes:
        actions: to carry out before the status is written; the plan is made anew after them.
        status: what the resource's status shall be.
        requeue_after: seconds, or None to wait for an event.
    """

    actions: tuple[Action, ...]
    status: FeatureExtractionStatus
    requeue_after: float | None = None


@dataclass(frozen=True)
class Run:
    """Everything that a decision may depend on."""

    resource: FeatureExtraction
    before: FeatureExtractionStatus
    observed: Observed
    now: datetime
    settings: Settings

    @property
    def attempt(self) -> int:
        """Returns the current attempt's number; attempts count from 1."""
        return max(self.before.attempt, 1)

    def seconds_since(self, then: datetime | None) -> float:
        """Returns the seconds that passed since then; 0 if it never was."""
        return (self.now - then).total_seconds() if then else 0.0

    def seconds_in(self, kind: ConditionType) -> float:
        """Returns how long a condition has had its status."""
        condition = conditions.find(self.before.conditions, kind)
        return self.seconds_since(condition.last_transition_time) if condition else 0.0

    def report(self, findings: Mapping[ConditionType, Finding], **changes: Any) -> FeatureExtractionStatus:
        """Returns the status with findings and fields put in; whatever is not named stays as it was.

        The spec counts as accepted, and the run as neither suspended nor stalled, unless the findings say otherwise.
        """
        usual: dict[ConditionType, Finding] = {
            "Accepted": Finding("True", reasons.SPEC_VALID),
            "Suspended": Finding("False", reasons.NOT_SUSPENDED),
            "Stalled": Finding("False", reasons.AS_EXPECTED),
        }
        if not conditions.find(self.before.conditions, "QuotaReserved"):
            usual["QuotaReserved"] = Finding("Unknown", reasons.PENDING)
        generation = int(self.resource.metadata.get("generation") or 0)
        merged = conditions.merged(self.before.conditions, {**usual, **findings}, whole(self.now), generation)
        update = {"conditions": merged, "observed_generation": generation, **changes}
        return self.before.model_copy(update=update)


def whole(time: datetime) -> datetime:
    """Returns the time without fractions of a second, as Kubernetes keeps it."""
    return time.replace(microsecond=0)


def after(time: datetime, seconds: float) -> datetime:
    """Returns the time so many seconds later."""
    return time + timedelta(seconds=seconds)
