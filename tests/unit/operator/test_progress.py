"""Progress is shown at once, then at most every ten seconds."""

from __future__ import annotations

from datetime import timedelta

from featx_operator.state.observed import progress_from

from tests.unit.operator.world import START, running


def test_progress_is_written_immediately_and_then_every_ten_seconds() -> None:
    world = running()
    for second in range(31):
        world.report(second).converge()
        world.advance(1)
    shown = [(when - START, status.progress.images_done) for when, status in world.written if status.progress]
    assert shown == [(timedelta(seconds=s), s) for s in (0, 10, 20, 30)]


def test_throttled_progress_is_written_after_the_interval() -> None:
    world = running().report(1)
    world.converge()
    world.advance(3).report(2)
    assert world.converge().requeue_after == 7
    world.advance(7).converge()
    assert world.status.progress and world.status.progress.images_done == 2


def test_final_progress_is_written_without_waiting_for_the_interval() -> None:
    world = running().report(50)
    world.converge()
    world.advance(1).report(60).fail("TooManyFailures", retryable=False).converge()
    assert world.status.progress and world.status.progress.images_done == 60


def test_malformed_progress_is_ignored() -> None:
    world = running()
    world._update("catalog-1-driver", progress=progress_from("catalog-1-driver", "{"))
    world.converge()
    assert world.status.progress is None
    assert world.state("DriverReady") == ("True", "Running")
