"""One run as the policies see it, and the one way to compute its next status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Unpack

from featx_api.resource import FeatureExtraction
from featx_api.status import ConditionType, FeatureExtractionStatus, PinnedModel

from featx_operator.applied import changed_fields
from featx_operator.decisions import conditions, reasons
from featx_operator.decisions.conditions import Finding
from featx_operator.decisions.status import StatusChanges, with_changes
from featx_operator.settings import Settings
from featx_operator.state.observed import Observed, Pod
from featx_operator.state.workload import Placements

EXECUTORS_FIELD = "spec.execution.executors"


@dataclass(frozen=True)
class CreateAttempt:
    """Create an attempt's ConfigMap and Secret, then its driver pod.

    Attributes:
        placements: What the run's admission by Kueue adds to its pods.
    """

    attempt: int
    placements: Placements = field(default_factory=Placements)


@dataclass(frozen=True)
class DeletePod:
    """Delete the pod with this name and uid; a pod of the same name with another uid stays."""

    name: str
    uid: str


@dataclass(frozen=True)
class ScaleExecutors:
    """Have the driver with this name and uid change the number of its executors."""

    name: str
    uid: str
    count: int


@dataclass(frozen=True)
class DeleteFiles:
    """Delete an attempt's ConfigMap and Secret."""

    attempt: int


@dataclass(frozen=True)
class CreateWorkload:
    """Create the run's Workload in this queue."""

    queue: str
    priority_class: str


@dataclass(frozen=True)
class DeleteWorkload:
    """Delete the run's Workload, which gives its quota back."""

    name: str
    uid: str


@dataclass(frozen=True)
class MoveWorkload:
    """Put the run's Workload into another queue, or give it another priority."""

    name: str
    uid: str
    queue: str
    priority_class: str


@dataclass(frozen=True)
class ReleaseQuota:
    """Give the quota of an evicted Workload back, now that no pod uses it.

    Attributes:
        requeued: Whether the Workload is queued again at once.
    """

    name: str
    uid: str
    reason: str
    message: str
    requeued: bool


@dataclass(frozen=True)
class ReportWorkload:
    """Set one condition of the run's Workload: `PodsReady` or `Finished`."""

    name: str
    uid: str
    kind: str
    status: str
    reason: str
    message: str


@dataclass(frozen=True)
class ReclaimExecutors:
    """Give back the quota of executors that the run won't need any more."""

    name: str
    uid: str
    count: int


WorkloadAction = CreateWorkload | DeleteWorkload | MoveWorkload | ReleaseQuota | ReportWorkload | ReclaimExecutors
Action = CreateAttempt | DeletePod | ScaleExecutors | DeleteFiles | WorkloadAction


@dataclass(frozen=True)
class Plan:
    """What to do now, the status to write, and when to plan again.

    Attributes:
        actions: To carry out before the status is written; after them, plan again.
        status: The status that the resource should have.
        requeue_after: Seconds until the next plan, or None to wait for an event.
    """

    actions: tuple[Action, ...]
    status: FeatureExtractionStatus
    requeue_after: float | None = None


@dataclass(frozen=True)
class Run:
    """Everything that a decision may depend on.

    Attributes:
        resource: The resource, validated.
        before: Its status as it was last written.
        observed: Its children.
        now: The time, in UTC.
        settings: The operator's.
    """

    resource: FeatureExtraction
    before: FeatureExtractionStatus
    observed: Observed
    now: datetime
    settings: Settings

    @property
    def attempt(self) -> int:
        """The number of the current attempt, from 1."""
        return max(self.before.attempt, 1)

    @property
    def driver(self) -> Pod | None:
        """The current driver: the pod that this operator created, whatever other pods look like."""
        recorded = self.before.driver.pod_uid if self.before.driver else ""
        uid = recorded or self.observed.created.get(self.attempt, "")
        return self.observed.driver(uid) if uid else None

    @property
    def generation(self) -> int:
        """The metadata.generation that decisions are about."""
        return int(self.resource.metadata.get("generation") or 0)

    def executors(self, driver: Pod) -> int | None:
        """How many executors the driver is to have now; never more than Kueue has admitted.

        Returns:
            None if their number can't change: Spark reads the bounds of dynamic allocation once, when it starts.
        """
        execution, workload = self.resource.spec.execution, self.observed.workload
        if driver.executors is None or execution.max_executors is not None:
            return None
        admitted = workload is not None and workload.name == self.before.workload
        return max(min(execution.wanted, workload.executors), 1) if workload and admitted else execution.wanted

    def _accepted(self) -> Finding:
        """That the spec is accepted, and in what the current attempt differs from it."""
        driver = self.driver
        fields = self._unseen_fields(driver, driver.applied) if driver and driver.applied is not None else ()
        changes = []
        if driver and fields:
            text = (
                f"{', '.join(fields)}: changed after attempt {self.attempt} was created, which keeps the earlier values"
            )
            number = self.executors(driver)
            if number is not None and number < self.resource.spec.execution.wanted:
                text += f" and has the {number} executors that Kueue has admitted"
            changes.append(f"{text}; the next attempt takes the new ones")
        if driver and driver.applied is not None:
            changes += map(_model_changed, self._changed_models())
        return Finding("True", reasons.SPEC_CHANGE_IGNORED if changes else reasons.SPEC_VALID, ". ".join(changes))

    def _changed_models(self) -> list[PinnedModel]:
        """The models that are not any more what they were when the run started."""
        models = ((pin, self.observed.models.get(pin.field)) for pin in self.before.models)
        return [pin for pin, model in models if model and (model.uid, model.net) != (pin.uid, pin.net)]

    def _unseen_fields(self, driver: Pod, applied: Mapping[str, str]) -> list[str]:
        """Fields of which the current attempt has another value than the spec."""
        execution, fields = self.resource.spec.execution, changed_fields(self.resource.spec, applied)
        if driver.executors is None or execution.max_executors is not None:
            return fields
        changed = [] if driver.executors == execution.wanted else [EXECUTORS_FIELD]
        return sorted([*(field for field in fields if field != EXECUTORS_FIELD), *changed])

    def seconds_since(self, then: datetime | None) -> float:
        """The seconds that have passed since a time; 0 for None."""
        return (self.now - then).total_seconds() if then else 0.0

    def refuse(self, kind: ConditionType, finding: Finding) -> Plan:
        """Reports by this condition why nothing is created until the run or the operator's settings change."""
        status = self.report(
            {
                kind: finding,
                "DriverReady": Finding("False", reasons.NOT_CREATED),
                "ExecutorsReady": Finding("False", reasons.DRIVER_NOT_READY),
                "Succeeded": finding._replace(status="Unknown"),
                "Reconciling": finding,
                "Stalled": finding._replace(status="True"),
            }
        )
        return Plan((), status)

    def report(
        self, findings: Mapping[ConditionType, Finding], **changes: Unpack[StatusChanges]
    ) -> FeatureExtractionStatus:
        """The next status: the last one with findings and fields applied; all else stays unchanged.

        Unless the findings say otherwise, the spec is accepted and the run neither suspended nor stalled. A change of
        spec.retry counts as acted on: only a run that has failed, or waits for its next attempt, looks at it.
        """
        defaults: dict[ConditionType, Finding] = {
            "Accepted": self._accepted(),
            "Suspended": Finding("False", reasons.NOT_SUSPENDED),
            "Stalled": Finding("False", reasons.AS_EXPECTED),
        }
        if not conditions.find(self.before.conditions, "QuotaReserved"):
            defaults["QuotaReserved"] = Finding("Unknown", reasons.PENDING)
        findings = {**defaults, **findings}
        if self.before.workload and findings.get("QuotaReserved") == Finding("True", reasons.RESERVED):
            del findings["QuotaReserved"]  # it says more: which queue has admitted the run
        merged = conditions.merged(self.before.conditions, findings, whole(self.now), self.generation)
        fields: StatusChanges = {
            "observed_generation": self.generation,
            "conditions": merged,
            "retry": self.resource.spec.retry,
            **changes,
        }
        return with_changes(self.before, **fields)


def _model_changed(pin: PinnedModel) -> str:
    text = f"spec.{pin.field}.modelRef: {pin.kind} {pin.name} has changed since the run started, which keeps what it"
    return f"{text} said then; create a new resource to use what it says now"


def time_text(time: datetime) -> str:
    """The time as messages show it."""
    return whole(time).strftime("%Y-%m-%dT%H:%M:%SZ")


def whole(time: datetime) -> datetime:
    """The time without fractions of a second, as Kubernetes stores it."""
    return time.replace(microsecond=0)


def after(time: datetime, seconds: float) -> datetime:
    """The time so many seconds later, or the last one there is."""
    try:
        return time + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
