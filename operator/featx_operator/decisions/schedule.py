"""Decides what happens next to one schedule, as batch/v1 CronJob's controller does; pure.

Which times have had their run is read from the runs' names as well as from the status: an operator that dies after it
has created a run finds it again. Of several times that were missed, only the last one counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal

from featx_api import problems
from featx_api.schedule import (
    ACTIVE_LIMIT,
    RUN_NOW_ANNOTATION,
    ActiveRun,
    FeatureExtractionSchedule,
    FeatureExtractionScheduleStatus,
    ScheduleCondition,
)
from featx_api.text import shortened
from pydantic import ValidationError

from featx_operator.decisions import reasons
from featx_operator.decisions.conditions import MESSAGE_LIMIT, Finding
from featx_operator.decisions.cron import Cron, CronError
from featx_operator.decisions.run import whole
from featx_operator.decisions.status import validated_copy
from featx_operator.objects import Body
from featx_operator.state.observed import Refusal
from featx_operator.state.scheduled import ScheduledRun, name_at
from featx_operator.state.words import time_of

LONGEST_SLEEP = 300.0  # seconds: clocks are corrected, and a watch may lose an event
REFUSED_SECONDS = 30.0

ConditionName = Literal["Ready", "Suspended", "Stalled"]
ORDER: tuple[ConditionName, ...] = ("Ready", "Suspended", "Stalled")


@dataclass(frozen=True)
class StartRun:
    """Create a run.

    Attributes:
        name: Of the run, the same for the same cause.
        due: The time that it was due at, or that the annotation was seen.
    """

    name: str
    due: datetime


@dataclass(frozen=True)
class DeleteRun:
    """Delete the run with this name and uid."""

    name: str
    uid: str


@dataclass(frozen=True)
class SchedulePlan:
    """What to do now, the status to write, and when to plan again.

    Attributes:
        actions: To carry out before the status is written; after them, plan again.
        status: The status that the schedule should have.
        requeue_after: Seconds until the next plan, or None to wait for an event.
    """

    actions: tuple[StartRun | DeleteRun, ...]
    status: FeatureExtractionScheduleStatus
    requeue_after: float | None = None


@dataclass(frozen=True)
class Moment:
    """A valid schedule at a moment, and everything that a decision may depend on."""

    resource: FeatureExtractionSchedule
    cron: Cron
    runs: Sequence[ScheduledRun]
    now: datetime

    @property
    def before(self) -> FeatureExtractionScheduleStatus:
        """The status as it was last written."""
        return self.resource.status

    @property
    def name(self) -> str:
        """The schedule's name."""
        return str(self.resource.metadata["name"])

    @property
    def active(self) -> list[ScheduledRun]:
        """The runs that have not finished."""
        return sorted((run for run in self.runs if not run.result), key=lambda run: (run.created, run.name))

    @property
    def last(self) -> datetime | None:
        """The time that the last run was due at."""
        times = [run.scheduled_at for run in self.runs if run.scheduled_at and run.scheduled_at <= self.now]
        times += [self.before.last_schedule_time] if self.before.last_schedule_time else []
        return max(times, default=None)

    @cached_property
    def due(self) -> datetime | None:
        """The last time that has passed without a run, or None."""
        since = self.last or time_of(self.resource.metadata.get("creationTimestamp")) or self.now
        latest = self.cron.until(self.now)
        return latest if latest is not None and latest > since else None

    @property
    def is_too_late(self) -> bool:
        """Whether the run that is due can't start in time any more."""
        limit, due = self.resource.spec.starting_deadline_seconds, self.due
        return limit is not None and due is not None and self.now - due > timedelta(seconds=limit)

    @property
    def run_now(self) -> str:
        """The value of the annotation by which somebody asks for a run, or empty."""
        return str((self.resource.metadata.get("annotations") or {}).get(RUN_NOW_ANNOTATION, ""))

    @property
    def run_now_name(self) -> str:
        """The name of the run that the annotation asks for: a value that comes back after another asks again."""
        text = f"{self.resource.metadata['uid']} {self.before.last_run_now or ''} {self.run_now}"
        return f"{self.name}-r{hashlib.sha256(text.encode()).hexdigest()[:7]}"

    @property
    def wanted(self) -> StartRun | None:
        """The run that should start now, if nothing prevents it."""
        due = self.due
        if due is not None and not self.is_too_late and not self.resource.spec.suspend:
            return StartRun(name_at(self.name, due), due)
        if self.run_now and self.run_now != self.last_run_now:
            return StartRun(self.run_now_name, whole(self.now))
        return None

    @property
    def last_run_now(self) -> str | None:
        """The last value of the annotation that has started a run."""
        started = any(run.name == self.run_now_name for run in self.runs)
        return self.run_now if self.run_now and started else self.before.last_run_now


def plan_schedule(
    body: Body, runs: Sequence[ScheduledRun], now: datetime, refusal: Refusal | None = None
) -> SchedulePlan:
    """Decides what happens next to one schedule.

    Args:
        body: The schedule as the API server has it.
        runs: The runs that it controls.
        now: The time, in UTC.
        refusal: Why the run that is due could not be created, if that was just tried.
    """
    try:
        resource = FeatureExtractionSchedule.from_wire({"spec": body["spec"], "metadata": body["metadata"]})
    except ValidationError as error:
        message = problems.line(FeatureExtractionSchedule, error.errors()[0])
        return _stalled(body, Finding("False", reasons.SPEC_INVALID, message), now)
    resource = resource.model_copy(update={"status": status_of(body)})
    if body["metadata"].get("deletionTimestamp"):
        return SchedulePlan((), resource.status)  # the garbage collector deletes its runs
    try:
        cron = Cron(resource.spec.schedule, resource.spec.time_zone)
    except CronError as error:
        return _stalled(body, Finding("False", reasons.INVALID_SCHEDULE, str(error)), now)
    moment = Moment(resource, cron, runs, now)
    wanted = moment.wanted
    start = tuple(_start(moment, wanted)) if wanted and not refusal else ()
    return SchedulePlan(
        (*start, *_expired(moment)), _status(moment, _ready(moment, wanted, refusal)), _sleep(moment, refusal)
    )


def status_of(body: Body) -> FeatureExtractionScheduleStatus:
    """The status of a schedule; all defaults before the first write."""
    return FeatureExtractionScheduleStatus.from_wire(body.get("status") or {})


def _start(moment: Moment, wanted: StartRun) -> Iterator[StartRun | DeleteRun]:
    """Starts a run as the concurrency policy allows: now, after the active ones are deleted, or not yet."""
    active, policy = moment.active, moment.resource.spec.concurrency_policy
    if not active or policy == "Allow":
        yield wanted
    elif policy == "Replace":
        yield from (DeleteRun(run.name, run.uid) for run in active if not run.deleting)


def _expired(moment: Moment) -> Iterator[DeleteRun]:
    """Deletes finished runs beyond the history limits, the oldest first."""
    spec = moment.resource.spec
    limits = {"Succeeded": spec.successful_history_limit, "Failed": spec.failed_history_limit}
    for result, limit in limits.items():
        ended = [run for run in moment.runs if run.result == result]
        ended.sort(key=lambda run: (run.ended_at or run.created, run.created, run.name))
        yield from (DeleteRun(run.name, run.uid) for run in ended[: max(len(ended) - limit, 0)] if not run.deleting)


def _ready(moment: Moment, wanted: StartRun | None, refusal: Refusal | None) -> Finding:
    if refusal:
        return Finding("False", refusal.reason, refusal.message)
    policy, active = moment.resource.spec.concurrency_policy, moment.active
    if wanted and active and policy != "Allow":
        text = "is active; the next run starts after it" if policy == "Forbid" else "is being deleted"
        return Finding("True", reasons.RUN_ACTIVE, f"{active[0].name} {text}")
    if moment.resource.spec.suspend:
        return Finding("True", reasons.SUSPENDED, "spec.suspend is true: no further runs start")
    return Finding("True", reasons.SCHEDULED)


def _status(moment: Moment, ready: Finding) -> FeatureExtractionScheduleStatus:
    before, active, suspended = moment.before, moment.active, moment.resource.spec.suspend
    successes = [run.ended_at for run in moment.runs if run.result == "Succeeded" and run.ended_at]
    successes += [before.last_successful_time] if before.last_successful_time else []
    missed = moment.due if moment.is_too_late and not suspended else before.last_missed_time
    findings: dict[ConditionName, Finding] = {
        "Ready": ready,
        "Suspended": Finding("True", reasons.SUSPENDED) if suspended else Finding("False", reasons.NOT_SUSPENDED),
        "Stalled": Finding("False", reasons.AS_EXPECTED),
    }
    generation = int(moment.resource.metadata.get("generation") or 0)
    return validated_copy(
        before,
        observed_generation=generation,
        conditions=_merged(before, findings, moment.now, generation),
        active=[ActiveRun(name=run.name, uid=run.uid) for run in active[:ACTIVE_LIMIT]],
        active_runs=len(active),
        last_schedule_time=moment.last,
        last_successful_time=max(successes, default=None),
        last_missed_time=missed,
        next_schedule_time=None if suspended else moment.cron.after(moment.now),
        last_run_now=moment.last_run_now,
    )


def _sleep(moment: Moment, refusal: Refusal | None) -> float:
    if refusal:
        return REFUSED_SECONDS
    due = None if moment.resource.spec.suspend else moment.cron.after(moment.now)
    return min((due - moment.now).total_seconds() if due else LONGEST_SLEEP, LONGEST_SLEEP)


def _stalled(body: Body, finding: Finding, now: datetime) -> SchedulePlan:
    """Reports a schedule that can't start anything before somebody changes it."""
    before, generation = status_of(body), int(body["metadata"].get("generation") or 0)
    findings: dict[ConditionName, Finding] = {"Ready": finding, "Stalled": finding._replace(status="True")}
    conditions = _merged(before, findings, now, generation)
    changes = {"conditions": conditions, "observed_generation": generation, "next_schedule_time": None}
    return SchedulePlan((), validated_copy(before, **changes))


def _merged(
    before: FeatureExtractionScheduleStatus, findings: dict[ConditionName, Finding], now: datetime, generation: int
) -> list[ScheduleCondition]:
    """All conditions with the findings applied; lastTransitionTime changes only when the status does."""
    merged = {last.type: last.model_copy(update={"observed_generation": generation}) for last in before.conditions}
    for kind, finding in findings.items():
        last = merged.get(kind)
        merged[kind] = ScheduleCondition(
            type=kind,
            status=finding.status,
            reason=finding.reason,
            message=shortened(finding.message, MESSAGE_LIMIT),
            last_transition_time=last.last_transition_time if last and last.status == finding.status else whole(now),
            observed_generation=generation,
        )
    return [merged[kind] for kind in ORDER if kind in merged]
