"""An attempt whose driver never gets an executor ends, gives its quota back, and the run queues again."""

from __future__ import annotations

from dataclasses import replace

from featx_api.status import Progress
from featx_operator.decisions.policies.quota import claim_of
from featx_operator.objects import resource_of
from featx_operator.settings import Settings
from featx_operator.state.observed import PodWaiting

from tests.unit.operator.world import START, World, running

SETTINGS = Settings(executor_start_deadline_seconds=600, progress_seconds=10)


def listed(world: World, done: int = 0) -> World:
    """The driver has listed its source, and has started Spark."""
    world.pods[world.driver.name] = replace(world.driver, progress=Progress(shards_done=done, shards_total=4))
    return world


def test_the_attempt_ends_without_counting_and_the_run_queues_again() -> None:
    world = listed(running(SETTINGS, backoffLimit=0))
    assert world.converge().requeue_after == 600
    world.executors(ready=0, waiting=1).advance(599).converge()
    assert world.status.attempt == 1
    world.advance(1).converge()
    assert (world.status.attempt, world.status.failed_attempts) == (2, 0)
    assert world.status.failure and world.status.failure.class_ == "ExecutorsNotStarted"
    assert world.state("QuotaReserved") == ("False", "ExecutorsNotStarted")
    assert world.status.next_attempt_time
    world.finish_deletions().converge()
    assert world.pods == {}
    world.advance(10).converge()
    assert list(world.pods) == ["catalog-2-driver"]


def test_a_run_that_queues_again_goes_behind_those_that_came_before() -> None:
    world = listed(running(SETTINGS))
    world.body["metadata"]["creationTimestamp"] = START.isoformat()
    assert claim_of(resource_of(world.body), world.status, SETTINGS).since == START
    world.converge()
    world.advance(600).converge()
    claim = claim_of(resource_of(world.body), world.status, SETTINGS)
    assert claim.since == world.status.next_attempt_time


def test_a_driver_that_lists_its_source_needs_no_executor() -> None:
    world = running(SETTINGS).advance(10_000)
    world.converge()
    assert world.status.attempt == 1
    assert world.status.executors and world.status.executors.missing_since is None


def test_a_driver_that_writes_its_table_needs_no_executor() -> None:
    world = listed(running(SETTINGS), done=4)
    world.converge()
    world.advance(10_000).converge()
    assert world.status.attempt == 1


def test_one_executor_is_enough() -> None:
    world = listed(running(SETTINGS)).executors(ready=1, waiting=2)
    world.converge()
    world.advance(10_000).converge()
    assert world.status.attempt == 1


def test_an_attempt_that_loses_all_executors_gets_the_whole_time_again() -> None:
    world = listed(running(SETTINGS))
    world.converge()
    world.advance(500).executors(ready=1).converge()
    assert world.status.executors and world.status.executors.missing_since is None
    world.advance(500).delete("catalog-1-exec-0").finish_deletions().converge()
    world.advance(500).converge()
    assert world.status.attempt == 1
    world.advance(200).converge()
    assert world.status.attempt == 2


def test_the_time_survives_a_restart_and_the_scheduler_is_quoted() -> None:
    world = listed(running(SETTINGS)).executors(ready=0, waiting=1)
    world.converge()
    world.known = {}
    name = "catalog-1-exec-0"
    waiting = PodWaiting("Unschedulable", "0/3 nodes are available: 3 Insufficient cpu.")
    world.pods[name] = replace(world.pods[name], waiting=waiting)
    world.advance(601).converge()
    assert world.status.failure
    assert world.status.failure.message == (
        "attempt 1 had no executor for 600 s: 0/3 nodes are available: 3 Insufficient cpu."
    )
