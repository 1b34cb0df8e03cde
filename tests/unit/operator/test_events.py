"""Each change emits its Event once."""

from __future__ import annotations

from itertools import pairwise

from featx_api.status import FeatureExtractionStatus
from featx_operator.decisions.events import events_between
from featx_operator.state.observed import Refusal

from tests.unit.operator.world import World


def event_reasons(world: World) -> list[str]:
    """The reasons of all Events of the world's statuses, in order."""
    statuses = [FeatureExtractionStatus(), *(status for _, status in world.written)]
    return [event.reason for pair in pairwise(statuses) for event in events_between(*pair)]


def test_a_run_that_fails_once_and_then_succeeds_emits_an_event_per_step() -> None:
    world = World()
    world.converge()
    world.run().report(1).converge()
    world.fail().converge()
    world.advance(10).converge()
    world.run().succeed().converge()
    assert event_reasons(world) == ["DriverCreated", "AttemptFailed", "DriverCreated", "Succeeded"]


def test_a_failure_is_a_warning_that_names_class_and_message() -> None:
    world = World()
    world.converge()
    world.run().fail("ModelInvalid", retryable=False).converge()
    (_, before), (_, after) = world.written[-2:]
    attempt, run = events_between(before, after)
    assert (attempt.type, attempt.note) == ("Warning", "attempt 1: ModelInvalid: no answer")
    assert (run.type, run.reason, run.note) == ("Warning", "Failed", "no answer")


def test_an_exceeded_quota_emits_one_event_however_often_it_is_retried() -> None:
    world = World()
    world.refusal = Refusal("QuotaExceeded", "exceeded quota")
    for _ in range(5):
        world.advance(100).converge()
    assert event_reasons(world) == ["QuotaExceeded"]


def test_a_taken_name_emits_one_event() -> None:
    world = World()
    world.refusal = Refusal("NameTaken", "Pod catalog-1-driver already exists and is not owned by this resource")
    world.converge()
    world.advance(10).converge()
    assert event_reasons(world) == ["NameTaken"]


def test_suspend_and_resume_emit_an_event_each() -> None:
    world = World()
    world.converge()
    world.run().change(suspend=True).converge()
    world.finish_deletions().converge()
    world.change(suspend=False).converge()
    assert event_reasons(world) == ["DriverCreated", "Suspended", "Resumed", "DriverCreated"]


def test_progress_alone_emits_no_event() -> None:
    world = World()
    world.converge()
    world.run().report(1).converge()
    world.advance(20).report(50).converge()
    assert event_reasons(world) == ["DriverCreated"]


def test_a_long_message_is_shortened() -> None:
    world = World()
    world.converge()
    world.run().end(2)
    world.converge()
    (_, before), (_, after) = world.written[-2:]
    assert after.failure
    long = after.model_copy(update={"failure": after.failure.model_copy(update={"message": "x" * 4000})})
    assert all(len(event.note) <= 1024 for event in events_between(before, long))
