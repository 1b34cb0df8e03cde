"""What a run shows while its driver works: executors that count, and progress no older than the executors beside it."""

from __future__ import annotations

from featx_api.status import Progress

from tests.unit.operator.world import running


def test_executors_being_deleted_do_not_count() -> None:
    world = running().executors(ready=2)
    world.delete("catalog-1-exec-1").converge()
    assert world.status.executors and world.status.executors.summary == "1/2"
    assert world.state("ExecutorsReady") == ("False", "Waiting")


def test_executors_are_held_back_together_with_progress() -> None:
    world = running().report(1)
    world.converge()
    world.advance(3).executors(ready=2).report(2)
    assert world.converge().requeue_after == 7
    assert world.status.progress and world.status.progress.images_done == 1
    assert world.status.executors and world.status.executors.ready == 0
    world.advance(7).converge()
    assert world.status.progress.images_done == 2
    assert world.status.executors.ready == 2


def test_a_success_shows_the_progress_of_its_report_not_the_last_of_the_annotation() -> None:
    world = running().report(60)
    world.converge()
    world.succeed(100).converge()
    assert world.status.progress == Progress(images_done=100, images_total=100, last_update_time=world.now)
