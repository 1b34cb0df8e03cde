"""Decides what happens next to one VisionModel or ClusterVisionModel; pure.

Each generation is checked once. The pod that does it is known by its uid, as a driver is: from the response to the
operator's own create request, then from the status. What it reports is parsed as what a stranger has written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Literal

from featx_api import problems
from featx_api.failures import FailureClass
from featx_api.text import counted, shortened
from featx_api.vision_model import (
    Check,
    Graph,
    ModelCondition,
    ModelReport,
    VisionModel,
    VisionModelSpec,
    VisionModelStatus,
)
from pydantic import ValidationError

from featx_operator.allowed import Allowed
from featx_operator.decisions import reasons
from featx_operator.decisions.conditions import MESSAGE_LIMIT, Finding
from featx_operator.decisions.policies.allowance import endpoints, foreign_stores, local_addresses, pod_identities
from featx_operator.decisions.policies.waits import OURS
from featx_operator.decisions.run import after, whole
from featx_operator.decisions.status import validated_copy
from featx_operator.model_pods import namespace_of, pod_name
from featx_operator.objects import Body, Owner
from featx_operator.settings import Settings
from featx_operator.state.models import model_owner, model_status
from featx_operator.state.observed import Pod, Refusal

ConditionName = Literal["Ready", "Reconciling", "Stalled"]
ORDER: tuple[ConditionName, ...] = ("Ready", "Reconciling", "Stalled")
MOST_CHECKS = 4  # of a namespace at a time
MOST_FAILURES = 3  # of checks in a row that end without a report
SECONDS = 30.0  # until a pod is looked at again, unless a watch says something before
SOON = 2.0
TEMPORARY = (reasons.QUOTA_EXCEEDED, reasons.SECRET_NOT_FOUND)


@dataclass(frozen=True)
class StartCheck:
    """Create the pod that checks the current generation."""


@dataclass(frozen=True)
class DeleteCheck:
    """Delete the pod with this name and uid."""

    name: str
    uid: str


@dataclass(frozen=True)
class ObservedChecks:
    """What a decision depends on besides the model.

    Attributes:
        pods: Those with the labels of the model's, and what has the name of the current check's.
        created: Uid of the pod that this process has created for the current generation, or empty.
        refusal: Why it could not be created, if that was just tried.
        others: How many other models of the namespace are being checked.
    """

    pods: Sequence[Pod] = field(default_factory=tuple)
    created: str = ""
    refusal: Refusal | None = None
    others: int = 0


@dataclass(frozen=True)
class ModelPlan:
    """What to do now, the status to write, and when to plan again.

    Attributes:
        actions: To carry out before the status is written; after them, plan again.
        status: The status that the model should have.
        requeue_after: Seconds until the next plan, or None to wait for an event.
    """

    actions: tuple[StartCheck | DeleteCheck, ...]
    status: VisionModelStatus
    requeue_after: float | None = None


@dataclass(frozen=True)
class _Moment:
    """A model at a moment."""

    owner: Owner
    generation: int
    before: VisionModelStatus
    observed: ObservedChecks
    now: datetime
    settings: Settings

    @property
    def check(self) -> Check:
        """The check of the current generation."""
        last = self.before.check
        return last if last and last.generation == self.generation else Check(generation=self.generation)

    @property
    def pod(self) -> Pod | None:
        """What has the name of the current check's pod."""
        name = pod_name(self.owner.key.name, self.generation)
        return next((pod for pod in self.observed.pods if pod.name == name), None)

    def waits(self, reason: str, message: str, again: float, **check: object) -> ModelPlan:
        """Reports that the check is under way, or why it is not yet."""
        return ModelPlan((), self._status(Finding("False", reason, message), "Reconciling", check), again)

    def stalls(self, reason: str, message: str, again: float | None = None, **check: object) -> ModelPlan:
        """Reports that the model can't be used before somebody changes something."""
        return ModelPlan((), self._status(Finding("False", reason, message), "Stalled", check), again)

    def ready(self, graph: Graph) -> ModelPlan:
        """Reports that the model can be used."""
        text = f"{counted(graph.layers, 'layer')}, {counted(graph.parameters, 'parameter')}, "
        finding = Finding("True", reasons.CHECKED, f"{text}{graph.gflop_per_image:g} GFLOP per image")
        status = self._status(finding, None, {"result": "Succeeded", "pod_uid": "", "next_time": None})
        return ModelPlan((), validated_copy(status, graph=graph), 0.0)

    def _status(
        self, ready: Finding, current: Literal["Reconciling", "Stalled"] | None, check: dict[str, object]
    ) -> VisionModelStatus:
        """The next status.

        Args:
            ready: The condition Ready.
            current: Which of the other two is True, if any.
            check: Fields of the check that change.
        """
        findings: dict[ConditionName, Finding] = {"Ready": ready}
        for kind in ORDER[1:]:
            other = reasons.CHECKED if ready.status == "True" else reasons.AS_EXPECTED
            holds = kind == current
            findings[kind] = ready._replace(status="True") if holds else Finding("False", other)
        return validated_copy(
            self.before,
            observed_generation=self.generation,
            conditions=_merged(self.before, findings, self.now, self.generation),
            check=validated_copy(self.check, **check),
            graph=None if check.get("result") == "Failed" else self.before.graph,
        )


def plan_model(body: Body, observed: ObservedChecks, now: datetime, settings: Settings) -> ModelPlan:
    """Decides what happens next to one model.

    Args:
        body: The model as the API server has it.
        observed: The pods that check it.
        now: The time, in UTC.
        settings: The operator's.
    """
    before, owner = model_status(body), model_owner(body)
    if body["metadata"].get("deletionTimestamp"):
        return ModelPlan((), before)  # the garbage collector deletes its pod
    generation = int(body["metadata"].get("generation") or 0)
    moment = _Moment(owner, generation, before, observed, now, settings)
    if stale := _earlier(moment):
        return ModelPlan(stale, before)
    if moment.check.result:
        return ModelPlan(_leftovers(moment), before)
    try:
        spec = VisionModelSpec.from_wire(body["spec"])
    except ValidationError as error:
        found = error.errors()[0]
        return moment.stalls(
            reasons.SPEC_INVALID, problems.line(VisionModel, {**found, "loc": ("spec", *found["loc"])})
        )
    namespace = namespace_of(owner, settings)
    if problem := next(_not_allowed(spec, settings.allowed.allowed_in(namespace), namespace), None):
        return moment.stalls(reasons.NOT_ALLOWED, problem)
    return _next_step(moment)


def _next_step(moment: _Moment) -> ModelPlan:
    check, pod, refusal = moment.check, moment.pod, moment.observed.refusal
    uid = check.pod_uid or moment.observed.created
    if uid and (pod is None or pod.uid != uid):
        return _again(moment, reasons.CHECK_LOST, f"{check.pod_name or 'the pod'} was deleted before it had finished")
    if uid and pod is not None:
        return _ended(moment, pod) if pod.ended else _under_way(moment, pod)
    if pod is not None and not _is_ours(moment, pod):
        text = f"Pod {pod.name} already exists and is not owned by this model; delete it or rename the model"
        return moment.stalls(reasons.NAME_TAKEN, text, SECONDS)
    if pod is not None:  # of a check that has failed, or forged, or just created by an operator that died
        if not pod.deleting:
            return ModelPlan((DeleteCheck(pod.name, pod.uid),), moment.before)
        return moment.waits(reasons.TERMINATING, f"{pod.name} is being deleted", SOON)
    if check.next_time and moment.now < check.next_time:
        return ModelPlan((), moment.before, (check.next_time - moment.now).total_seconds())
    if refusal:
        if refusal.reason in TEMPORARY:
            return moment.waits(refusal.reason, refusal.message, SECONDS / 3)
        reason = reasons.CHECK_REFUSED if refusal.reason == reasons.DRIVER_REFUSED else refusal.reason
        return moment.stalls(reason, refusal.message, SECONDS)
    if moment.observed.others >= MOST_CHECKS:
        text = f"{moment.observed.others} other models of the namespace are being checked"
        return moment.waits(reasons.QUEUED, text, SECONDS / 3)
    return ModelPlan((StartCheck(),), moment.before)


def _under_way(moment: _Moment, pod: Pod) -> ModelPlan:
    """Reports a pod that runs, or why it does not."""
    reason, message = reasons.CHECKING, f"{pod.name} reads the files"
    if pod.deleting:
        reason, message = reasons.TERMINATING, f"{pod.name} is being deleted"
    elif pod.phase != "Running":
        waiting = pod.waiting
        default = reasons.STARTING if pod.scheduled else reasons.PENDING
        reason, message = (OURS.get(waiting.reason, default), waiting.message) if waiting else (default, "")
    return moment.waits(reason, message, SECONDS, pod_name=pod.name, pod_uid=pod.uid)


def _ended(moment: _Moment, pod: Pod) -> ModelPlan:
    """Records the result of a check, or repeats it."""
    report = report_of(pod)
    if report and report.graph:
        return moment.ready(report.graph)
    if report and report.failure:
        class_ = FailureClass.named(report.failure.class_)
        reason = class_ or reasons.CHECK_FAILED
        if class_ and class_.retryable:
            return _again(moment, reason, report.failure.message)
        return _failed(moment, reason, report.failure.message)
    if pod.exit and pod.exit.reason == "OOMKilled":
        text = f"{pod.name} exceeded its memory limit of {_memory(moment)}: ask the platform team to raise"
        return _failed(moment, reasons.OUT_OF_MEMORY, f"{text} modelChecks.memory, then raise spec.retry")
    if pod.disruption == reasons.DEADLINE_EXCEEDED:
        text = f"{pod.name} did not end within {moment.settings.model_seconds} s: use a smaller model or a faster store"
        return _failed(moment, reasons.DEADLINE_EXCEEDED, f"{text}, then raise spec.retry")
    if pod.disruption:
        return _again(moment, reasons.CHECK_LOST, f"{pod.name}: {pod.disruption}. {pod.message}".strip())
    code = pod.exit.code if pod.exit else None
    text = f"{pod.name} ended {'before it started' if code is None else f'with code {code}'}, without a valid report"
    if moment.check.failures + 1 >= MOST_FAILURES:
        return _failed(moment, reasons.CHECK_FAILED, f"{text}, {MOST_FAILURES} times; raise spec.retry to try again")
    return _again(moment, reasons.CHECK_FAILED, text)


def _memory(moment: _Moment) -> str:
    settings = moment.settings
    return settings.allowed.model_checks_in(namespace_of(moment.owner, settings)).memory


def report_of(pod: Pod) -> ModelReport | None:
    """What an ended pod reports, or None if it has not ended by itself or its report is malformed."""
    if pod.exit is None or not pod.exit.message:
        return None
    try:
        report = ModelReport.from_json(pod.exit.message)
    except ValidationError:
        return None
    return report if (pod.exit.code == 0) == (report.graph is not None) else None


def _again(moment: _Moment, reason: str, message: str) -> ModelPlan:
    """Repeats a check after a wait that doubles each time."""
    failures, settings = moment.check.failures + 1, moment.settings
    pause = min(settings.backoff_seconds * 2 ** min(failures - 1, 16), settings.backoff_cap_seconds)
    at = whole(after(moment.now, pause))
    changes = {"failures": failures, "next_time": at, "pod_uid": ""}
    plan = moment.waits(reason, f"{message}; checked again at {at:%Y-%m-%dT%H:%M:%SZ}", 0.0, **changes)
    return plan


def _failed(moment: _Moment, reason: str, message: str) -> ModelPlan:
    return moment.stalls(reason, message, 0.0, result="Failed", pod_uid="", next_time=None)


def _earlier(moment: _Moment) -> tuple[DeleteCheck, ...]:
    """Deletes the pods that check earlier generations, also of an operator that died before it recorded them."""
    current = pod_name(moment.owner.key.name, moment.generation)
    return tuple(delete for delete in _leftovers(moment) if delete.name != current)


def _leftovers(moment: _Moment) -> tuple[DeleteCheck, ...]:
    """Deletes the pod of a check whose result is recorded."""
    pods = (pod for pod in moment.observed.pods if _is_ours(moment, pod) and not pod.deleting)
    return tuple(DeleteCheck(pod.name, pod.uid) for pod in pods)


def _is_ours(moment: _Moment, pod: Pod) -> bool:
    return pod.owner == moment.owner.uid


def _not_allowed(spec: VisionModelSpec, allowed: Allowed, namespace: str) -> Iterator[str]:
    """What the model's namespace may not use; as for runs."""
    stores = {"spec.model.s3": spec.model.s3} if spec.model.s3 else {}
    addresses = spec.addresses()
    return chain(
        pod_identities(stores, allowed, namespace),
        local_addresses(addresses, spec.claim_names()),
        foreign_stores(chain(addresses.items(), endpoints(stores)), allowed, namespace),
    )


def _merged(
    before: VisionModelStatus, findings: dict[ConditionName, Finding], now: datetime, generation: int
) -> list[ModelCondition]:
    """The conditions with these findings; lastTransitionTime changes only when the status does."""
    last = {condition.type: condition for condition in before.conditions}
    return [
        ModelCondition(
            type=kind,
            status=finding.status,
            reason=finding.reason,
            message=shortened(finding.message, MESSAGE_LIMIT),
            last_transition_time=(
                last[kind].last_transition_time if kind in last and last[kind].status == finding.status else whole(now)
            ),
            observed_generation=generation,
        )
        for kind, finding in findings.items()
    ]
