"""Suspending a run, and resuming it."""

from __future__ import annotations

from datetime import timedelta

from tests.unit.operator.world import START, running


def test_suspension_is_recorded_before_anything_is_deleted() -> None:
    world = running().change(suspend=True)
    world.reconcile()
    assert world.state("Suspended") == ("False", "Suspending")
    assert not world.driver.deleting


def test_a_run_is_suspended_once_all_pods_are_gone() -> None:
    world = running().executors(ready=1).change(suspend=True)
    world.converge()
    assert world.state("Suspended") == ("False", "Suspending")
    world.finish_deletions().converge()
    assert world.state("Suspended") == ("True", "Suspended")
    assert world.pods == {}


def test_a_resumed_run_starts_a_new_attempt_that_does_not_count_as_failed() -> None:
    world = running(backoffLimit=0).change(suspend=True)
    world.converge()
    world.finish_deletions().converge()
    world.advance(1000).change(suspend=False).converge()
    assert world.driver.name == "catalog-2-driver"
    assert (world.status.failed_attempts, world.status.attempt) == (0, 2)
    assert world.status.start_time == START + timedelta(seconds=1000)


def test_a_run_resumed_while_stopping_stops_completely_first() -> None:
    world = running(backoffLimit=0).change(suspend=True)
    world.converge()
    world.change(suspend=False).converge()
    assert world.state("Suspended") == ("False", "Suspending")
    world.finish_deletions().converge()
    assert world.driver.name == "catalog-2-driver"
    assert world.status.failed_attempts == 0


def test_the_files_of_a_suspended_attempt_are_deleted_before_the_next_is_created() -> None:
    world = running().change(suspend=True)
    for attempt in range(2, 6):
        world.converge()
        world.finish_deletions().converge()
        world.change(suspend=False).converge()
        assert world.files == {attempt}
        world.run().change(suspend=True)


def test_time_in_suspension_does_not_count_towards_the_deadline() -> None:
    world = running(activeDeadlineSeconds=100).change(suspend=True)
    world.converge()
    world.finish_deletions().advance(500).converge()
    world.change(suspend=False).converge()
    assert world.state("Succeeded")[0] == "Unknown"
