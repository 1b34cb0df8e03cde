"""What a schedule does: a simulated clock, runs in memory, and an operator that may die after any step."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from featx_api.schedule import FeatureExtractionScheduleStatus
from featx_operator.decisions.schedule import DeleteRun, SchedulePlan, StartRun, plan_schedule
from featx_operator.decisions.schedule_events import schedule_events
from featx_operator.state.observed import Refusal
from featx_operator.state.scheduled import ScheduledRun, time_in_name
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.bad_resources import good

START = datetime(2026, 11, 25, 12, 0, 30, tzinfo=UTC)
FIRST = datetime(2026, 11, 25, 12, 1, tzinfo=UTC)


class Calendar:
    """A schedule and its runs."""

    def __init__(self, **spec: Any) -> None:
        self.now = START
        self.runs: dict[str, ScheduledRun] = {}
        self.started: list[str] = []
        self.asked = 0  # times that the annotation got another value
        self.events: list[str] = []
        metadata = {"name": "nightly", "namespace": "default", "uid": "s-1", "generation": 1}
        template = {"spec": good()["spec"]}
        self.body: dict[str, Any] = {
            "metadata": {**metadata, "creationTimestamp": f"{START:%Y-%m-%dT%H:%M:%SZ}"},
            "spec": {"schedule": "* * * * *", "template": template, **spec},
        }

    @property
    def status(self) -> FeatureExtractionScheduleStatus:
        return FeatureExtractionScheduleStatus.from_wire(self.body.get("status") or {})

    @property
    def ready(self) -> tuple[str, str]:
        (ready,) = [item for item in self.status.conditions if item.type == "Ready"]
        return ready.status, ready.reason

    @property
    def active(self) -> list[str]:
        return sorted(name for name, run in self.runs.items() if not run.result)

    def reconcile(self, refusal: Refusal | None = None, steps: int = 100) -> SchedulePlan:
        """Acts until there is nothing to do, then writes the status; dies after so many steps."""
        for _ in range(10):
            decision = plan_schedule(self.body, tuple(self.runs.values()), self.now, refusal)
            if not decision.actions:
                break
            for action in decision.actions:
                if (steps := steps - 1) < 0:
                    return decision
                self._act(action)
        else:
            raise AssertionError(f"never runs out of actions: {decision.actions}")
        if steps > 0 and decision.status != self.status:
            runs = tuple(self.runs.values())
            self.events += [event.reason for event in schedule_events(self.status, decision.status, runs)]
            self.body["status"] = decision.status.to_wire()
        return decision

    def _act(self, action: StartRun | DeleteRun) -> None:
        if isinstance(action, DeleteRun):
            assert self.runs.pop(action.name).uid == action.uid
        elif action.name not in self.runs:  # its name is taken otherwise: the API server creates it once
            due = time_in_name("nightly", action.name)
            assert due is None or action.name not in self.started, f"{action.name} starts twice"
            self.runs[action.name] = ScheduledRun(action.name, f"u-{len(self.started)}", 0, self.now, due)
            self.started.append(action.name)
            assert len([one for one in self.started if time_in_name("nightly", one) is None]) <= self.asked

    def advance(self, seconds: float) -> Calendar:
        self.now += timedelta(seconds=seconds)
        return self

    def end(self, result: Any = "Succeeded") -> Calendar:
        for name, run in self.runs.items():
            if not run.result:
                self.runs[name] = replace(run, result=result, ended_at=self.now)
        return self

    def change(self, **spec: Any) -> Calendar:
        self.body["spec"] |= spec
        self.body["metadata"]["generation"] += 1
        return self

    def annotate(self, value: str) -> Calendar:
        annotations = self.body["metadata"].setdefault("annotations", {})
        self.asked += annotations.get("featx.dev/run-now") != value
        annotations["featx.dev/run-now"] = value
        return self


def name(due: datetime) -> str:
    return f"nightly-{int(due.timestamp()) // 60}"


def test_a_run_starts_when_it_is_due_and_not_before() -> None:
    calendar = Calendar()
    assert calendar.reconcile().requeue_after == 30
    assert calendar.started == []
    assert calendar.status.next_schedule_time == FIRST
    assert calendar.advance(30).reconcile().requeue_after == 60
    assert calendar.started == [name(FIRST)]
    assert calendar.status.last_schedule_time == FIRST
    assert [run.name for run in calendar.status.active] == [name(FIRST)]
    assert calendar.events == ["RunStarted"]


def test_forbid_starts_the_last_missed_run_after_the_active_one() -> None:
    calendar = Calendar(concurrencyPolicy="Forbid")
    calendar.advance(30).reconcile()
    calendar.advance(150).reconcile()
    assert calendar.started == [name(FIRST)]
    assert calendar.ready == ("True", "RunActive")
    calendar.end().reconcile()
    assert calendar.started == [name(FIRST), name(FIRST + timedelta(minutes=2))]
    assert calendar.status.last_successful_time == calendar.now
    assert calendar.events == ["RunStarted", "RunActive", "RunFinished", "RunStarted"]


def test_replace_deletes_the_active_run_first() -> None:
    calendar = Calendar(concurrencyPolicy="Replace")
    calendar.advance(30).reconcile()
    calendar.advance(60).reconcile()
    assert calendar.active == [name(FIRST + timedelta(minutes=1))]


def test_replace_waits_for_a_run_that_a_finalizer_keeps() -> None:
    calendar = Calendar(concurrencyPolicy="Replace")
    calendar.advance(30).reconcile()
    first = name(FIRST)
    calendar.runs[first] = replace(calendar.runs[first], deleting=True)
    calendar.advance(60).reconcile()
    assert calendar.started == [first]
    del calendar.runs[first]
    calendar.reconcile()
    assert len(calendar.started) == 2


def test_allow_runs_both() -> None:
    calendar = Calendar(concurrencyPolicy="Allow")
    calendar.advance(30).reconcile()
    calendar.advance(60).reconcile()
    assert len(calendar.active) == calendar.status.active_runs == 2


def test_a_run_that_is_too_late_is_skipped_and_reported_once() -> None:
    calendar = Calendar(schedule="0 * * * *", startingDeadlineSeconds=100)
    calendar.advance(3600).reconcile()  # the operator was away: 13:00:30
    assert calendar.started == [name(datetime(2026, 11, 25, 13, tzinfo=UTC))]
    calendar.end().advance(3600 + 120).reconcile()  # 14:02:30
    calendar.advance(60).reconcile()
    assert len(calendar.started) == 1
    assert calendar.status.last_missed_time == datetime(2026, 11, 25, 14, tzinfo=UTC)
    assert calendar.events.count("MissedSchedule") == 1


def test_a_suspended_schedule_starts_nothing_and_resumes_with_the_last_missed_run() -> None:
    calendar = Calendar(suspend=True)
    assert calendar.advance(600).reconcile().requeue_after == 300
    assert calendar.started == []
    assert calendar.ready == ("True", "Suspended")
    assert calendar.status.next_schedule_time is None
    calendar.change(suspend=False).reconcile()
    assert calendar.started == [name(FIRST + timedelta(minutes=9))]
    assert calendar.events == ["Suspended", "RunStarted", "Resumed"]


def test_run_now_starts_one_run_for_each_value_even_while_suspended() -> None:
    calendar = Calendar(suspend=True).annotate("a")
    calendar.reconcile()
    calendar.end().reconcile()
    assert len(calendar.started) == 1
    calendar.annotate("b").reconcile()
    assert len(calendar.started) == 2
    assert calendar.status.last_run_now == "b"
    assert all(len(one) <= len("nightly") + 9 and time_in_name("nightly", one) is None for one in calendar.started)


def test_run_now_starts_a_run_again_when_a_value_comes_back() -> None:
    calendar = Calendar(suspend=True)
    for value in "aba":
        calendar.annotate(value).reconcile()
        calendar.end().reconcile()
    assert len(calendar.started) == 3


def test_run_now_waits_for_the_active_run_under_forbid() -> None:
    calendar = Calendar()
    calendar.advance(30).reconcile()
    calendar.annotate("a").reconcile()
    assert len(calendar.started) == 1
    calendar.end().reconcile()
    assert len(calendar.started) == 2


def test_finished_runs_beyond_the_limits_are_deleted_the_oldest_first() -> None:
    calendar = Calendar(successfulHistoryLimit=2, failedHistoryLimit=0)
    for result in ("Succeeded", "Failed", "Succeeded", "Succeeded"):
        calendar.advance(60).reconcile()
        calendar.end(result).advance(1).reconcile()
    assert sorted(calendar.runs) == calendar.started[2:]


def test_a_refused_run_is_reported_and_tried_again() -> None:
    calendar = Calendar()
    decision = calendar.advance(30).reconcile(Refusal("QuotaExceeded", "count/featureextractions"))
    assert (decision.requeue_after, calendar.ready) == (30, ("False", "QuotaExceeded"))
    calendar.advance(30).reconcile()
    assert calendar.ready == ("True", "Scheduled")
    assert len(calendar.started) == 1


@pytest.mark.parametrize(
    ("spec", "reason", "text"),
    [
        ({"schedule": "61 * * * *"}, "InvalidSchedule", "minute"),
        ({"timeZone": "Europe/Atlantis"}, "InvalidSchedule", "Europe/Berlin"),
        ({"separateOutputs": True}, "SpecInvalid", "separateOutputs"),
        ({"template": {}}, "SpecInvalid", "spec.template.spec: is missing"),
    ],
)
def test_a_schedule_without_meaning_is_stalled_until_it_changes(spec: dict[str, Any], reason: str, text: str) -> None:
    calendar = Calendar(**spec)
    assert calendar.advance(600).reconcile().requeue_after is None
    assert calendar.ready == ("False", reason)
    assert text in calendar.status.conditions[0].message
    assert [item.status for item in calendar.status.conditions if item.type == "Stalled"] == ["True"]
    calendar.body["spec"] = Calendar().body["spec"]
    calendar.change().reconcile()
    assert calendar.ready == ("True", "Scheduled")


def test_a_forged_run_of_the_future_does_not_stop_the_schedule() -> None:
    calendar = Calendar(concurrencyPolicy="Allow")
    future = name(FIRST + timedelta(days=36500))
    calendar.runs[future] = ScheduledRun(future, "forged", 0, START, time_in_name("nightly", future))
    calendar.advance(30).reconcile()
    assert calendar.started == [name(FIRST)]


STEPS = st.one_of(
    st.tuples(st.just("advance"), st.integers(1, 4000)),
    st.tuples(st.just("end"), st.sampled_from(["Succeeded", "Failed"])),
    st.tuples(st.just("die"), st.integers(0, 3)),
    st.tuples(st.just("suspend"), st.booleans()),
    st.tuples(st.just("annotate"), st.sampled_from("abc")),
)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["Allow", "Forbid", "Replace"]),
    st.sampled_from(["* * * * *", "*/20 * * * *", "@hourly"]),
    st.none() | st.integers(0, 900),
    st.lists(STEPS, min_size=1, max_size=12),
)
def test_no_time_has_two_runs_and_policies_hold_whatever_happens(
    policy: str, expression: str, deadline: int | None, steps: list[tuple[str, Any]]
) -> None:
    limit = {} if deadline is None else {"startingDeadlineSeconds": deadline}
    calendar = Calendar(concurrencyPolicy=policy, schedule=expression, failedHistoryLimit=2, **limit)
    for kind, value in steps:
        if kind == "advance":
            calendar.advance(value)
        elif kind == "end":
            calendar.end(value)
        elif kind == "suspend":
            calendar.change(suspend=value)
        elif kind == "annotate":
            calendar.annotate(value)
        calendar.reconcile(steps=value if kind == "die" else 100)
        assert policy == "Allow" or len(calendar.active) <= 1
    calendar.reconcile()
    results = [run.result for run in calendar.runs.values()]
    assert results.count("Succeeded") <= 3 and results.count("Failed") <= 2
    assert calendar.status.active_runs == len(calendar.active)
