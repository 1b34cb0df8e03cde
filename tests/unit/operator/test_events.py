"""Events tell each change once."""

from __future__ import annotations

from itertools import pairwise

from featx_api.status import FeatureExtractionStatus
from featx_operator.decisions.events import between
from featx_operator.state.observed import Refusal

from tests.unit.operator.world import World


def told(world: World) -> list[str]:
    """Returns the reasons of all Events of the world's statuses, in order."""
    statuses = [FeatureExtractionStatus(), *(status for _, status in world.written)]
    return [event.reason for pair in pairwise(statuses) for event in between(*pair)]


def test_a_run_that_fails_once_and_then_succeeds() -> None:
    world = World()
    world.settle()
    world.run().report(1).settle()
    world.fail().settle()
    world.advance(10).settle()
    world.run().succeed().settle()
    assert told(world) == ["Accepted", "DriverCreated", "AttemptFailed", "DriverCreated", "Succeeded"]


def test_a_failure_is_a_warning_that_names_class_and_message() -> None:
    world = World()
    world.settle()
    world.run().fail("ModelInvalid", retryable=False).settle()
    (_, before), (_, after) = world.written[-2:]
    attempt, run = between(before, after)
    assert (attempt.type, attempt.note) == ("Warning", "attempt 1: ModelInvalid: no answer")
    assert (run.type, run.reason, run.note) == ("Warning", "Failed", "no answer")


def test_a_quota_is_told_once_however_often_it_is_tried() -> None:
    world = World()
    world.refusal = Refusal("QuotaExceeded", "exceeded quota")
    for _ in range(5):
        world.advance(100).settle()
    assert told(world) == ["Accepted", "QuotaExceeded"]


def test_a_taken_name_is_told() -> None:
    world = World()
    world.refusal = Refusal("NameTaken", "Pod catalog-1-driver exists and is not this run's")
    world.settle()
    world.advance(10).settle()
    assert told(world) == ["Accepted", "NameTaken"]


def test_suspend_and_resume() -> None:
    world = World()
    world.settle()
    world.run().change(suspend=True).settle()
    world.finish_deletions().settle()
    world.change(suspend=False).settle()
    assert told(world) == ["Accepted", "DriverCreated", "Suspended", "Resumed", "DriverCreated"]


def test_progress_alone_is_no_event() -> None:
    world = World()
    world.settle()
    world.run().report(1).settle()
    world.advance(20).report(50).settle()
    assert told(world) == ["Accepted", "DriverCreated"]


def test_a_long_message_is_cut() -> None:
    world = World()
    world.settle()
    world.run().end(2)
    world.settle()
    (_, before), (_, after) = world.written[-2:]
    assert after.failure
    long = after.model_copy(update={"failure": after.failure.model_copy(update={"message": "x" * 4000})})
    assert all(len(event.note) <= 1024 for event in between(before, long))
