"""The life of a run beyond its first attempt: waits, disruptions, memory, cancellation, retries, and what is said."""

from __future__ import annotations

from typing import Any

import pytest
from featx_api.states import RunState
from featx_operator.settings import Settings
from featx_operator.state.observed import Exit, PodWaiting, Refusal

from tests.unit.operator.test_events import event_reasons
from tests.unit.operator.world import START, World, running

EVERY_END = [("succeed", "Complete"), ("fail", "Failed"), ("cancel", "Failed")]


# Waits


@pytest.mark.parametrize(
    ("waiting", "scheduled", "seconds", "state"),
    [
        (("Unschedulable", "0/3 nodes are available"), False, 86_400, "Unschedulable"),
        (("ImagePullBackOff", "no such image"), True, 3600, "ImageUnavailable"),
        (("Unschedulable", 'persistentvolumeclaim "a" not found'), False, 900, "ClaimNotFound"),
    ],
)
def test_a_wait_says_when_it_ends_and_then_fails_the_run_but_no_attempt(
    waiting: tuple[str, str], scheduled: bool, seconds: int, state: str
) -> None:
    world = World(backoffLimit=0)
    world.converge()
    world.wait(*waiting, scheduled=scheduled).converge()
    assert world.status.state == state
    assert world.condition("Succeeded").message.startswith("waits until 2026-11-2")
    world.advance(seconds - 1).converge()
    assert world.status.state == state
    world.advance(1).converge()
    assert world.status.state == f"Failed:{state}"
    assert (world.status.failed_attempts, world.created) == (0, ["catalog-1-driver"])
    assert "not resolved by" in world.condition("Failed").message


def test_the_time_that_a_driver_waited_for_a_node_does_not_count_towards_its_start() -> None:
    world = World(backoffLimit=0)
    world.converge()
    world.wait("Unschedulable", "0/3 nodes are available").advance(5000).converge()
    world.wait("ContainerCreating", scheduled=True).advance(899).converge()
    assert world.status.state == "Starting"
    world.advance(1).converge()
    assert world.status.failure and world.status.failure.class_ == "DriverNotStarted"


def test_a_wait_is_reported_once_however_often_its_words_change() -> None:
    world = World()
    world.converge()
    for nodes in range(1, 5):
        world.wait("Unschedulable", f"0/{nodes} nodes are available").advance(10).converge()
    assert event_reasons(world) == ["DriverCreated", "Unschedulable"]


@pytest.mark.parametrize("reason", ["Calibrating", "StoreUnreachable"])
def test_what_the_driver_waits_for_is_the_state(reason: str) -> None:
    world = running().executors(ready=1).report(1, waiting="the store", waiting_reason=reason)
    world.converge()
    assert (world.status.state, world.condition("Succeeded").message) == (reason, "the store")
    world.advance(20).report(2).converge()
    assert world.status.state == "Running"
    assert event_reasons(world)[-1] == reason


def test_a_driver_without_executors_for_its_shards_shows_why() -> None:
    world = running()
    assert world.status.state == "Running"  # it prepares the run
    world.report(0, shards_done=0, shards_total=3).converge()
    assert world.status.state == "ExecutorsPending"
    world.executors(ready=0, waiting=1)
    world._update("catalog-1-exec-0", waiting=PodWaiting("ErrImagePull", "no such image"))
    world.converge()
    assert world.state("ExecutorsReady") == ("False", "ImageUnavailable")
    assert world.condition("Succeeded").message == "no such image"
    assert event_reasons(world)[-1] == "ExecutorsPending"
    world.executors(ready=1).advance(20).converge()
    assert world.status.state == "Running"
    world.report(100, shards_done=3, shards_total=3).delete("catalog-1-exec-0").finish_deletions()
    world.advance(20).converge()
    assert world.status.state == "Running"  # it publishes the table


def test_a_container_that_can_not_be_started_passes_on_the_words_of_the_kubelet() -> None:
    world = running(backoffLimit=0).end(128, 'exec: "python3": not found', reason="StartError")
    world.converge()
    assert world.status.state == "Failed:ContainerConfigError"
    assert 'StartError: exec: "python3": not found' in world.condition("Failed").message


# Disruptions


@pytest.mark.parametrize("how", ["deleted", "stopped while deleted", "evicted", "evicted while it fails"])
def test_a_driver_that_is_stopped_from_outside_does_not_count_as_failed(how: str) -> None:
    world = running(backoffLimit=0)
    if how == "deleted":
        del world.pods["catalog-1-driver"]
    elif how == "stopped while deleted":
        world.fail("Stopped")
        world._update("catalog-1-driver", deleting=True)
    elif how == "evicted":
        world.end(143, disruption="EvictionByEvictionAPI")
    else:
        world.fail("ExecutorLost")
        world._update("catalog-1-driver", disruption="DeletionByTaintManager")
    world.converge()
    assert (world.status.failed_attempts, world.status.disruptions) == (0, 1)
    assert (world.status.state, world.state("DriverReady")) == ("BackingOff", ("False", "Disrupted"))
    assert event_reasons(world)[-1] == "Disrupted"
    world.finish_deletions().advance(10).converge()
    assert world.driver.name == "catalog-2-driver"


@pytest.mark.parametrize("class_", ["Stopped", "DriverEvicted", "DriverLost"])
def test_a_driver_that_only_claims_to_be_disrupted_has_failed(class_: str) -> None:
    world = running(backoffLimit=0).fail(class_)
    world.converge()
    assert (world.status.state, world.status.failed_attempts) == (f"Failed:{class_}", 1)


def test_a_mistake_of_the_user_stays_one_while_the_driver_is_evicted() -> None:
    world = running().fail("ModelInvalid", retryable=False)
    world._update("catalog-1-driver", disruption="EvictionByEvictionAPI")
    world.converge()
    assert world.status.state == "Failed:ModelInvalid"


def test_disruptions_in_a_row_are_bounded_and_back_off() -> None:
    world = running(Settings(disruption_limit=3), backoffLimit=1)
    waits = []
    while world.state("Succeeded")[0] == "Unknown":
        del world.pods[world.driver.name]
        if wait := world.converge().requeue_after:
            waits.append(wait)
            world.advance(wait).converge()
            world.run().converge()
    assert len(world.created) == 5
    assert (world.status.disruptions, world.status.failed_attempts) == (3, 2)
    assert waits[1] > waits[0] and waits[2] > waits[1]


@pytest.mark.parametrize(
    ("seconds", "rate", "count"), [(1800, 1.0, 1), (1799, 1.0, 3), (7200, 0.0, 3)], ids=["healthy", "short", "idle"]
)
def test_an_attempt_that_worked_for_long_starts_the_counts_over(seconds: int, rate: float, count: int) -> None:
    world = running(backoffLimit=3)
    for _ in range(2):
        world.fail().converge()
        world.advance(400).converge()
        world.run().converge()
    world.report(1, images_per_second=rate).advance(seconds).fail().converge()
    assert world.status.failed_attempts == count
    assert event_reasons(world).count("AttemptFailed") == 3


# Memory


@pytest.mark.parametrize(("class_", "part"), [("OutOfMemory", "executor_percent"), ("JvmLost", "driver_percent")])
def test_an_attempt_out_of_memory_is_repeated_once_with_half_more(class_: str, part: str) -> None:
    world = running(backoffLimit=5).fail(class_)
    world.converge()
    assert world.status.memory and getattr(world.status.memory, part) == 150
    assert "half more memory" in world.condition("Succeeded").message
    assert event_reasons(world)[-2:] == ["AttemptFailed", "MemoryRaised"]
    world.advance(10).converge()
    world.run().fail("StoreUnreachable").converge()
    world.advance(20).converge()
    assert getattr(world.status.memory, part) == 150  # what was raised stays
    world.run().fail(class_).converge()
    assert world.status.state == f"Failed:{class_}"
    assert "half more memory was not enough" in world.condition("Failed").message


def test_executors_that_were_killed_for_memory_count_as_out_of_memory() -> None:
    world = running().executors(ready=2)
    world._update("catalog-1-exec-1", phase="Failed", ready=False, exit=Exit(137, "OOMKilled"))
    world.converge()
    world.delete("catalog-1-exec-1").advance(20).converge()  # as Spark does
    world.fail("ExecutorLost").converge()
    assert world.status.failure and world.status.failure.class_ == "OutOfMemory"
    assert world.status.memory and world.status.memory.executor_percent == 150


def test_more_memory_that_is_refused_ends_the_run_with_the_reason_why_it_was_wanted() -> None:
    world = running().end(137, reason="OOMKilled")
    world.converge()
    world.refusal = Refusal("DriverRefused", "maximum memory usage per Pod is 2Gi, but limit is 2304Mi")
    world.advance(10).converge()
    assert world.status.state == "Failed:DriverOutOfMemory"
    assert "half more memory is refused: maximum memory" in world.condition("Failed").message


# The end, and what comes after it


def end(world: World, how: str) -> World:
    if how == "cancel":
        world.change(cancel=True)
    else:
        world.succeed() if how == "succeed" else world.fail("ModelInvalid", retryable=False)
    world.converge()
    return world


@pytest.mark.parametrize(("how", "kind"), EVERY_END)
def test_one_condition_is_true_at_every_end(how: str, kind: str) -> None:
    world = running()
    assert [world.condition(one).status for one in ("Complete", "Failed", "Finished")] == ["False"] * 3
    end(world.advance(5), how)
    for one in ("Complete", "Failed", "Finished"):
        expected = "True" if one in (kind, "Finished") else "False"
        assert world.condition(one).status == expected
    assert (world.condition("Finished").last_transition_time - START).total_seconds() == 5


def test_a_cancelled_run_stops_its_pods_and_stays_cancelled() -> None:
    world = end(running().executors(ready=1), "cancel")
    assert (world.status.state, world.state("Finished")) == ("Cancelled", ("True", "Cancelled"))
    assert world.driver.deleting
    world.finish_deletions().change(cancel=False).advance(1000).converge()
    assert (world.status.state, world.pods) == ("Cancelled", {})


@pytest.mark.parametrize("before", ["new", "suspended", "backing off"])
def test_a_run_that_does_not_run_can_be_cancelled_too(before: str) -> None:
    world = World(suspend=before == "suspended")
    if before != "new":
        world.converge()
    if before == "backing off":
        world.run().fail().converge()
    world.change(cancel=True).converge()
    world.advance(1000).converge()
    assert world.status.state == "Cancelled"
    assert len(world.created) == (before == "backing off")


@pytest.mark.parametrize(("how", "retried"), [("fail", True), ("cancel", False), ("succeed", False)])
def test_a_higher_retry_number_continues_a_failed_run_and_no_other(how: str, retried: bool) -> None:
    world = end(running(retry=7, activeDeadlineSeconds=100), how)
    world.finish_deletions().advance(1000).converge()
    assert world.created == ["catalog-1-driver"]
    world.change(retry=8).converge()
    assert (len(world.created) == 2) is retried
    if retried:
        assert (world.status.attempt, world.status.failed_attempts, world.status.failure) == (2, 0, None)
        assert world.status.completion_time is None
        assert world.state("Finished")[0] == "False"
        world.run().succeed().converge()
        assert world.status.state == "Succeeded"
        assert event_reasons(world)[-3:] == ["Retrying", "DriverCreated", "Succeeded"]


def test_a_cancelled_run_continues_once_it_is_no_longer_cancelled_and_retried() -> None:
    world = end(running(), "cancel")
    world.finish_deletions().change(cancel=False, retry=1).converge()
    assert world.driver.name == "catalog-2-driver"


def test_a_higher_retry_number_ends_a_back_off_and_nothing_more() -> None:
    world = running(Settings(backoff_seconds=300)).fail()
    world.converge()
    world.change(retry=1).converge()
    assert world.driver.name == "catalog-2-driver"
    assert world.status.failed_attempts == 1
    world.run().fail("ModelInvalid", retryable=False).converge()
    world.advance(1000).converge()
    assert world.status.state == "Failed:ModelInvalid"


def test_a_run_that_failed_before_its_first_driver_is_retried_with_that_attempt() -> None:
    world = World()
    world.refusal = Refusal("SecretNotFound", "spec.source.s3.secretRef: Secret store not found")
    world.converge()
    world.advance(30).converge()
    assert (world.status.state, world.status.failed_attempts) == ("Failed:SecretNotFound", 0)
    world.refusal = None
    world.change(retry=1).converge()
    assert world.driver.name == "catalog-1-driver"


# Changes


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"limits": {"megapixels": 3}}, "spec.limits.megapixels"),
        ({"priorityClassName": "high"}, "spec.priorityClassName"),
        ({"execution": {"executors": 40, "memory": "5Gi"}}, "spec.execution.memory"),
        (
            {"execution": {"executors": None, "minExecutors": 1, "maxExecutors": 9}},
            "spec.execution.executors, spec.execution.maxExecutors, spec.execution.minExecutors",
        ),
        ({"execution": {"sparkConf": {"spark.task.maxFailures": "9"}}}, "spec.execution.sparkConf"),
    ],
)
def test_a_change_that_the_running_attempt_does_not_see_is_said(change: dict[str, Any], fields: str) -> None:
    world = running()
    original = world.body["spec"]
    parts = {key: {**original.get(key, {}), **value} for key, value in change.items() if isinstance(value, dict)}
    world.body["spec"] = {**original, **change, **parts}
    world.converge()
    assert world.state("Accepted") == ("True", "SpecChangeIgnored")
    assert world.condition("Accepted").message.startswith(f"{fields}: changed after attempt 1 was created")
    assert event_reasons(world)[-1] == "SpecChangeIgnored"
    world.body["spec"] = original
    world.converge()
    assert world.state("Accepted") == ("True", "SpecValid")
    assert event_reasons(world)[-1] == "SpecChangeIgnored"  # the return is no news


@pytest.mark.parametrize(
    "change",
    [{"suspend": False}, {"backoffLimit": 9}, {"activeDeadlineSeconds": 5000}, {"ttlSecondsAfterFinished": 5}],
)
def test_a_change_that_takes_effect_at_once_is_not_called_ignored(change: dict[str, Any]) -> None:
    world = running().change(**change)
    world.converge()
    assert world.state("Accepted") == ("True", "SpecValid")


def test_the_next_attempt_has_the_changed_values() -> None:
    world = running().change(limits={"megapixels": 3})
    world.converge()
    world.fail().converge()
    world.advance(10).converge()
    assert world.state("Accepted") == ("True", "SpecValid")


def test_every_reason_of_an_unfinished_run_is_a_documented_state() -> None:
    for name, reason in vars(RunState).items():
        if isinstance(reason, RunState):
            assert reason.meaning.endswith(".") and reason.advice.endswith("."), name
