"""What the operator decides, case by case."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from featx_operator.settings import Settings
from featx_operator.state.observed import Refusal, Waiting, progress_from

from tests.unit.operator.world import START, World, running


def test_a_new_run_puts_its_start_on_record_before_anything_is_created() -> None:
    world = World()
    first = world.reconcile()
    assert (world.created, first.requeue_after) == ([], 0)
    assert (world.status.attempt, world.status.start_time) == (1, START)


def test_then_its_first_driver_is_created() -> None:
    world = World()
    world.settle()
    assert world.created == ["catalog-1-driver"]
    assert world.config_maps == {"catalog-1-job"}
    assert world.status.driver and world.status.driver.pod_name == "catalog-1-driver"
    assert world.said("Succeeded") == ("Unknown", "Pending")
    assert world.said("QuotaReserved") == ("True", "Reserved")


def test_all_conditions_are_there_from_the_first_write() -> None:
    world = World()
    world.reconcile()
    assert len(world.status.conditions) == 8
    assert all(condition.observed_generation == 1 for condition in world.status.conditions)


def test_a_running_driver_is_ready_and_its_executors_are_counted() -> None:
    world = running()
    assert world.said("DriverReady") == ("True", "Running")
    assert world.said("ExecutorsReady") == ("False", "Waiting")
    world.executors(ready=1, waiting=1).settle()
    assert world.status.executors and world.status.executors.summary == "1/2"
    world.executors(ready=2).settle()
    assert world.said("ExecutorsReady") == ("True", "AllReady")


def test_executors_of_an_earlier_attempt_do_not_count() -> None:
    world = running().executors(ready=2)
    world.fail().advance(60).settle()
    world.run().settle()
    assert world.status.attempt == 2
    assert world.status.executors and world.status.executors.ready == 0


def test_with_dynamic_allocation_every_executor_pod_is_one_that_is_wanted() -> None:
    world = running(execution={"minExecutors": 1, "maxExecutors": 8}).executors(ready=2, waiting=3)
    world.settle()
    assert world.status.executors and world.status.executors.summary == "2/5"


def test_why_executors_do_not_start_is_told() -> None:
    world = running().executors(ready=0, waiting=1)
    world._update("catalog-1-exec-0", waiting=Waiting("Unschedulable", "0/1 nodes are available"))
    world.settle()
    assert world.said("ExecutorsReady") == ("False", "Unschedulable")
    assert "0/1 nodes" in world.condition("ExecutorsReady").message


def test_a_run_succeeds_by_its_drivers_word() -> None:
    world = running().succeed(42)
    world.settle()
    assert world.said("Succeeded") == ("True", "Completed")
    assert world.said("Reconciling") == ("False", "Finished")
    assert world.status.outputs[0].record_count == 42
    assert world.status.progress and world.status.progress.summary == "42/42"
    assert world.status.completion_time == START


def test_an_exit_code_of_0_without_a_word_is_no_success() -> None:
    world = running().end(0)
    world.settle()
    assert world.said("Succeeded") == ("Unknown", "BackingOff")
    assert world.status.failure and world.status.failure.class_ == "DriverExited"


@pytest.mark.parametrize(
    ("end", "class_", "retried"),
    [
        ({"code": 1}, "DriverExited", True),
        ({"code": 2}, "DriverExited", False),
        ({"code": 1, "message": "{not json"}, "DriverExited", True),
        ({"code": 137}, "DriverExited", True),
        ({"code": 137, "reason": "OOMKilled"}, "DriverOutOfMemory", True),
        ({"code": 143, "disruption": "DeletionByTaintManager"}, "DriverEvicted", True),
        ({"code": 143, "disruption": "PreemptionByScheduler"}, "DriverEvicted", True),
        ({"code": 137, "disruption": "Evicted", "message": ""}, "DriverEvicted", True),
    ],
)
def test_a_driver_that_ended_without_an_outcome_is_judged_by_its_pod(
    end: dict[str, Any], class_: str, retried: bool
) -> None:
    world = running().end(**end)
    world.settle()
    assert world.status.failure and world.status.failure.class_ == class_
    assert world.said("Succeeded")[0] == ("Unknown" if retried else "False")


def test_an_evicted_pod_without_container_status_is_judged_too() -> None:
    world = running()
    world._update("catalog-1-driver", phase="Failed", disruption="Evicted", message="The node was low on memory")
    world.settle()
    assert world.status.failure and "low on memory" in world.status.failure.message
    assert world.said("Succeeded") == ("Unknown", "BackingOff")


def test_a_permanent_failure_ends_the_run_with_its_class_as_reason() -> None:
    world = running().fail("ModelDigestMismatch", retryable=False)
    world.settle()
    assert world.said("Succeeded") == ("False", "ModelDigestMismatch")
    assert world.said("Stalled") == ("True", "ModelDigestMismatch")
    assert world.created == ["catalog-1-driver"]


def test_attempts_back_off_and_end_at_the_limit() -> None:
    world = running(backoffLimit=2)
    waits = []
    while world.said("Succeeded")[0] == "Unknown":
        world.fail()
        decided = world.settle()
        if decided.requeue_after is not None:
            waits.append(decided.requeue_after)
            assert world.said("Succeeded") == ("Unknown", "BackingOff")
            world.advance(decided.requeue_after).settle()
            world.run().settle()
    assert waits == [10, 20]
    assert world.created == ["catalog-1-driver", "catalog-2-driver", "catalog-3-driver"]
    assert world.said("Succeeded") == ("False", "BackoffLimitExceeded")
    assert world.status.failure and world.status.failure.class_ == "StoreUnreachable"


def test_no_driver_is_created_before_its_time() -> None:
    world = running().fail()
    world.settle()
    world.advance(9).settle()
    assert world.created == ["catalog-1-driver"]
    world.advance(1).settle()
    assert world.created == ["catalog-1-driver", "catalog-2-driver"]


def test_the_wait_has_a_cap() -> None:
    world = running(backoffLimit=100)
    world.body["status"]["failedAttempts"] = 40
    world.fail()
    assert world.settle().requeue_after == 360


def test_a_driver_that_was_deleted_is_followed_by_the_next_attempt() -> None:
    world = running()
    del world.pods["catalog-1-driver"]
    world.settle()
    assert world.status.failure and world.status.failure.class_ == "DriverLost"
    world.advance(10).settle()
    assert world.driver.name == "catalog-2-driver"


def test_no_second_driver_while_one_is_being_deleted() -> None:
    world = running().delete("catalog-1-driver")
    world.settle()
    assert world.said("DriverReady") == ("False", "Terminating")
    assert world.created == ["catalog-1-driver"]


def test_executors_that_outlive_their_driver_are_stopped() -> None:
    world = running().executors(ready=2)
    world.succeed().settle()
    world.finish_deletions()
    assert list(world.pods) == ["catalog-1-driver"]


@pytest.mark.parametrize(
    ("waiting", "scheduled", "reason", "says"),
    [
        (("Unschedulable", "0/3 nodes are available"), False, "Unschedulable", "0/3 nodes"),
        (("Unschedulable", 'persistentvolumeclaim "data" not found'), False, "ClaimNotFound", "data"),
        (("ImagePullBackOff", "Back-off pulling image x"), True, "ImageUnavailable", "image x"),
        (("CreateContainerConfigError", 'secret "store" not found'), True, "SecretNotFound", "store"),
        (("ContainerCreating", ""), True, "Starting", ""),
    ],
)
def test_what_a_driver_waits_for_is_told(waiting: tuple[str, str], scheduled: bool, reason: str, says: str) -> None:
    world = World()
    world.settle()
    world.wait(*waiting, scheduled=scheduled).settle()
    assert world.said("DriverReady") == ("False", reason)
    assert says in world.condition("DriverReady").message


def test_a_missing_secret_fails_the_run_after_a_short_grace() -> None:
    world = World()
    world.settle()
    world.wait("ContainerCreating", scheduled=True)
    world.mount_problem = Waiting("FailedMount", 'MountVolume.SetUp failed for volume "s": secret "store" not found')
    world.advance(29).settle()
    assert world.said("DriverReady") == ("False", "SecretNotFound")
    assert world.said("Succeeded")[0] == "Unknown"
    world.advance(1).settle()
    assert world.said("Succeeded") == ("False", "SecretNotFound")
    assert "store" in world.condition("Succeeded").message
    assert world.pods == {}


def test_a_secret_that_was_missing_before_the_grace_was_over_may_be_there_by_now() -> None:
    world = World()
    world.settle()
    world.wait("ContainerCreating", scheduled=True)
    missed = 'MountVolume.SetUp failed for volume "s": secret "store" not found'
    world.mount_problem = Waiting("FailedMount", missed, START + timedelta(seconds=16))
    world.advance(40).settle()
    assert world.said("Succeeded")[0] == "Unknown"
    world.mount_problem = Waiting("FailedMount", missed, START + timedelta(seconds=32))
    world.settle()
    assert world.said("Succeeded") == ("False", "SecretNotFound")


def test_a_driver_that_never_starts_is_a_failed_attempt() -> None:
    world = World(backoffLimit=1)
    world.settle()
    world.wait("ImagePullBackOff", "no such image").advance(900).settle()
    assert world.status.failed_attempts == 1
    assert world.status.failure and world.status.failure.class_ == "ImageUnavailable"
    assert world.pods == {}  # the driver that never started is gone before the next one


def test_the_deadline_is_over_all_attempts() -> None:
    world = running(activeDeadlineSeconds=100)
    world.advance(60).fail().settle()
    world.advance(20).settle()
    world.run()
    assert world.settle().requeue_after == 20
    world.advance(20).settle()
    assert world.said("Succeeded") == ("False", "DeadlineExceeded")
    assert world.driver.deleting


def test_a_success_that_came_with_the_deadline_is_a_success() -> None:
    world = running(activeDeadlineSeconds=100)
    world.advance(100).succeed().settle()
    assert world.said("Succeeded") == ("True", "Completed")


def test_suspend_is_on_record_before_anything_is_deleted() -> None:
    world = running().change(suspend=True)
    world.reconcile()
    assert world.said("Suspended") == ("False", "Suspending")
    assert not world.driver.deleting


def test_a_run_is_suspended_when_no_pod_is_left() -> None:
    world = running().executors(ready=1).change(suspend=True)
    world.settle()
    assert world.said("Suspended") == ("False", "Suspending")
    world.finish_deletions().settle()
    assert world.said("Suspended") == ("True", "Suspended")
    assert world.pods == {}


def test_a_resumed_run_goes_on_with_the_next_attempt_that_does_not_count() -> None:
    world = running(backoffLimit=0).change(suspend=True)
    world.settle()
    world.finish_deletions().settle()
    world.advance(1000).change(suspend=False).settle()
    assert world.driver.name == "catalog-2-driver"
    assert (world.status.failed_attempts, world.status.attempt) == (0, 2)
    assert world.status.start_time == START + timedelta(seconds=1000)


def test_a_run_that_is_resumed_while_it_stops_is_stopped_first() -> None:
    world = running(backoffLimit=0).change(suspend=True)
    world.settle()
    world.change(suspend=False).settle()
    assert world.said("Suspended") == ("False", "Suspending")
    world.finish_deletions().settle()
    assert world.driver.name == "catalog-2-driver"
    assert world.status.failed_attempts == 0


def test_a_run_that_was_born_suspended_does_not_start() -> None:
    world = World(suspend=True)
    world.settle()
    assert (world.created, world.status.start_time) == ([], None)
    world.change(suspend=False).settle()
    assert world.created == ["catalog-1-driver"]


def test_the_deadline_rests_while_a_run_is_suspended() -> None:
    world = running(activeDeadlineSeconds=100).change(suspend=True)
    world.settle()
    world.finish_deletions().advance(500).settle()
    world.change(suspend=False).settle()
    assert world.said("Succeeded")[0] == "Unknown"


def test_what_exceeds_the_quota_is_held_and_tried_again() -> None:
    world = World()
    world.refusal = Refusal("QuotaExceeded", "exceeded quota: team, requested: memory=2Gi")
    waits = []
    for _ in range(8):
        decided = world.settle()
        assert decided.requeue_after
        waits.append(decided.requeue_after)
        world.advance(decided.requeue_after)
    assert waits == [2, 2, 4, 8, 16, 32, 64, 120]
    assert world.said("QuotaReserved") == ("False", "QuotaExceeded")
    assert world.status.failed_attempts == 0
    world.refusal = None
    world.settle()
    assert world.said("QuotaReserved") == ("True", "Reserved")


@pytest.mark.parametrize(("reason", "stalled"), [("NameTaken", "True"), ("PreviousRunTerminating", "False")])
def test_a_name_that_is_taken_is_told_and_waited_for(reason: str, stalled: str) -> None:
    world = World()
    world.refusal = Refusal(reason, "Pod catalog-1-driver exists and is not this run's")
    assert world.settle().requeue_after == 2
    assert world.said("DriverReady") == ("False", reason)
    assert world.said("Stalled") == (stalled, reason)
    world.refusal = None
    world.settle()
    assert world.said("Stalled") == ("False", "AsExpected")


def test_after_its_time_to_live_pods_and_config_maps_go_and_nothing_runs_again() -> None:
    world = running(ttlSecondsAfterFinished=60).fail()
    world.settle()
    world.advance(10).settle()
    world.run().succeed()
    assert world.settle().requeue_after == 60
    assert len(world.pods) == len(world.config_maps) == 2
    world.advance(60).settle()
    assert (world.pods, world.config_maps) == ({}, set())
    world.change(suspend=True).settle()
    world.change(suspend=False).advance(1000).settle()
    assert (world.pods, world.said("Succeeded")) == ({}, ("True", "Completed"))


def test_a_resource_that_is_being_deleted_is_left_to_the_collector() -> None:
    world = World()
    world.body["metadata"]["deletionTimestamp"] = "2026-11-25T12:00:00Z"
    world.settle()
    assert (world.created, world.written) == ([], [])


def test_a_spec_that_the_models_refuse_is_reported_and_starts_once_it_is_mended() -> None:
    world = World(backoffLimit=1000)
    world.settle()
    assert world.said("Accepted") == ("False", "SpecInvalid")
    assert "spec.backoffLimit" in world.condition("Accepted").message
    assert world.created == []
    world.change(backoffLimit=3).settle()
    assert world.created == ["catalog-1-driver"]


def test_progress_is_written_at_once_and_then_every_ten_seconds() -> None:
    world = running()
    for second in range(31):
        world.report(second).settle()
        world.advance(1)
    shown = [(when - START, status.progress.images_done) for when, status in world.written if status.progress]
    assert shown == [(timedelta(seconds=s), s) for s in (0, 10, 20, 30)]


def test_progress_that_is_held_back_is_written_when_it_may_be() -> None:
    world = running().report(1)
    world.settle()
    world.advance(3).report(2)
    assert world.settle().requeue_after == 7
    world.advance(7).settle()
    assert world.status.progress and world.status.progress.images_done == 2


def test_the_end_does_not_wait_for_the_interval() -> None:
    world = running().report(50)
    world.settle()
    world.advance(1).report(60).fail("TooManyFailures", retryable=False).settle()
    assert world.status.progress and world.status.progress.images_done == 60


def test_progress_that_can_not_be_read_is_passed_over() -> None:
    world = running()
    world._update("catalog-1-driver", progress=progress_from("catalog-1-driver", "{"))
    world.settle()
    assert world.status.progress is None
    assert world.said("DriverReady") == ("True", "Running")


def test_settings_change_the_times() -> None:
    world = World(Settings(backoff_seconds=1))
    world.settle()
    world.run().fail()
    assert world.settle().requeue_after == 1
