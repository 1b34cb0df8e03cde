"""The operator's decisions, case by case."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from featx_operator.settings import Settings
from featx_operator.state.observed import PodWaiting, Refusal, progress_from

from tests.unit.operator.world import START, World, running


def test_the_start_is_recorded_before_anything_is_created() -> None:
    world = World()
    first = world.reconcile()
    assert (world.created, first.requeue_after) == ([], 0)
    assert (world.status.attempt, world.status.start_time) == (1, START)


def test_a_started_run_creates_its_first_driver() -> None:
    world = World()
    world.converge()
    assert world.created == ["catalog-1-driver"]
    assert world.files == {1}
    assert world.status.driver and world.status.driver.pod_name == "catalog-1-driver"
    assert world.state("Succeeded") == ("Unknown", "Pending")
    assert world.state("QuotaReserved") == ("True", "Reserved")


def test_the_first_write_contains_all_conditions() -> None:
    world = World()
    world.reconcile()
    assert len(world.status.conditions) == 8
    assert all(condition.observed_generation == 1 for condition in world.status.conditions)


def test_a_running_driver_is_ready_and_its_executors_are_counted() -> None:
    world = running()
    assert world.state("DriverReady") == ("True", "Running")
    assert world.state("ExecutorsReady") == ("False", "Waiting")
    world.executors(ready=1, waiting=1).converge()
    assert world.status.executors and world.status.executors.summary == "1/2"
    world.executors(ready=2).converge()
    assert world.state("ExecutorsReady") == ("True", "AllReady")


def test_executors_of_an_earlier_attempt_do_not_count() -> None:
    world = running().executors(ready=2)
    world.fail().advance(60).converge()
    world.run().converge()
    assert world.status.attempt == 2
    assert world.status.executors and world.status.executors.ready == 0


def test_with_dynamic_allocation_every_executor_pod_counts_as_desired() -> None:
    world = running(execution={"minExecutors": 1, "maxExecutors": 8}).executors(ready=2, waiting=3)
    world.converge()
    assert world.status.executors and world.status.executors.summary == "2/5"


def test_the_reason_why_executors_do_not_start_is_reported() -> None:
    world = running().executors(ready=0, waiting=1)
    world._update("catalog-1-exec-0", waiting=PodWaiting("Unschedulable", "0/1 nodes are available"))
    world.converge()
    assert world.state("ExecutorsReady") == ("False", "Unschedulable")
    assert "0/1 nodes" in world.condition("ExecutorsReady").message


def test_a_run_succeeds_when_its_driver_reports_success() -> None:
    world = running().succeed(42)
    world.converge()
    assert world.state("Succeeded") == ("True", "Completed")
    assert world.state("Reconciling") == ("False", "Finished")
    assert world.status.outputs[0].record_count == 42
    assert world.status.progress and world.status.progress.summary == "42/42"
    assert world.status.completion_time == START


def test_exit_code_0_without_a_report_is_not_a_success() -> None:
    world = running().end(0)
    world.converge()
    assert world.state("Succeeded") == ("Unknown", "BackingOff")
    assert world.status.failure and world.status.failure.class_ == "DriverExited"


@pytest.mark.parametrize(
    ("end", "class_", "retried"),
    [
        ({"code": 1}, "DriverExited", True),
        ({"code": 2}, "DriverFailed", False),
        ({"code": 1, "message": "{not json"}, "DriverExited", True),
        ({"code": 137}, "DriverExited", True),
        ({"code": 137, "reason": "OOMKilled"}, "DriverOutOfMemory", True),
        ({"code": 143, "disruption": "DeletionByTaintManager"}, "DriverEvicted", True),
        ({"code": 143, "disruption": "PreemptionByScheduler"}, "DriverEvicted", True),
        ({"code": 137, "disruption": "Evicted", "message": ""}, "DriverEvicted", True),
    ],
)
def test_a_driver_that_ended_without_a_report_is_classified_by_its_pod(
    end: dict[str, Any], class_: str, retried: bool
) -> None:
    world = running().end(**end)
    world.converge()
    assert world.status.failure and world.status.failure.class_ == class_
    assert world.state("Succeeded")[0] == ("Unknown" if retried else "False")


def test_an_evicted_pod_without_container_status_is_classified_too() -> None:
    world = running()
    world._update("catalog-1-driver", phase="Failed", disruption="Evicted", message="The node was low on memory")
    world.converge()
    assert world.status.failure and "low on memory" in world.status.failure.message
    assert world.state("Succeeded") == ("Unknown", "BackingOff")


def test_a_permanent_failure_fails_the_run_with_its_class_as_reason() -> None:
    world = running().fail("ModelDigestMismatch", retryable=False)
    world.converge()
    assert world.state("Succeeded") == ("False", "ModelDigestMismatch")
    assert world.state("Stalled") == ("True", "ModelDigestMismatch")
    assert world.created == ["catalog-1-driver"]


@pytest.mark.parametrize("class_", ["Access Denied", "", "BrandNew", "a\nb", "Ünbekannt", "x" * 128])
@pytest.mark.parametrize("retryable", [True, False])
def test_a_class_that_is_not_in_the_registry_is_quoted_under_one_that_is(class_: str, retryable: bool) -> None:
    world = running().fail(class_, retryable)
    world.converge()
    expected = "UnknownFailure" if retryable else "UnknownPermanentFailure"
    assert world.status.failure and world.status.failure.class_ == expected
    assert repr(class_) in world.status.failure.message and "no answer" in world.status.failure.message
    assert world.state("Succeeded") == (("Unknown", "BackingOff") if retryable else ("False", expected))
    assert repr(class_) in world.condition("Succeeded").message


def test_the_registry_decides_on_a_retry_whatever_the_driver_thinks() -> None:
    world = running().fail("ModelInvalid", retryable=True)
    world.converge()
    assert world.state("Succeeded") == ("False", "ModelInvalid")


def test_a_long_message_of_the_kubelet_is_cut_to_what_the_status_holds() -> None:
    world = running().end(143, disruption="Evicted")
    world._update("catalog-1-driver", message="the node is low on memory " * 500)
    world.converge()
    assert world.status.failure and world.status.failure.class_ == "DriverEvicted"


def test_a_driver_stuck_for_no_reason_of_ours_did_not_start() -> None:
    world = World(backoffLimit=1)
    world.converge()
    world.wait("ContainerCreating", scheduled=True).advance(900).converge()
    assert world.status.failure and world.status.failure.class_ == "DriverNotStarted"


def test_attempts_back_off_and_stop_at_the_limit() -> None:
    world = running(backoffLimit=2)
    waits = []
    while world.state("Succeeded")[0] == "Unknown":
        world.fail()
        decision = world.converge()
        if decision.requeue_after is not None:
            waits.append(decision.requeue_after)
            assert world.state("Succeeded") == ("Unknown", "BackingOff")
            world.advance(decision.requeue_after).converge()
            world.run().converge()
    assert waits == [10, 20]
    assert world.created == ["catalog-1-driver", "catalog-2-driver", "catalog-3-driver"]
    assert world.state("Succeeded") == ("False", "BackoffLimitExceeded")
    assert world.status.failure and world.status.failure.class_ == "StoreUnreachable"


def test_no_driver_is_created_before_the_back_off_has_passed() -> None:
    world = running().fail()
    world.converge()
    world.advance(9).converge()
    assert world.created == ["catalog-1-driver"]
    world.advance(1).converge()
    assert world.created == ["catalog-1-driver", "catalog-2-driver"]


def test_the_back_off_is_capped() -> None:
    world = running(backoffLimit=100)
    world.body["status"]["failedAttempts"] = 40
    world.fail()
    assert world.converge().requeue_after == 360


def test_a_deleted_driver_leads_to_the_next_attempt() -> None:
    world = running()
    del world.pods["catalog-1-driver"]
    world.converge()
    assert world.status.failure and world.status.failure.class_ == "DriverLost"
    world.advance(10).converge()
    assert world.driver.name == "catalog-2-driver"


def test_no_second_driver_is_created_while_one_is_being_deleted() -> None:
    world = running().delete("catalog-1-driver")
    world.converge()
    assert world.state("DriverReady") == ("False", "Terminating")
    assert world.created == ["catalog-1-driver"]


def test_executors_that_outlive_their_driver_are_stopped() -> None:
    world = running().executors(ready=2)
    world.succeed().converge()
    world.finish_deletions()
    assert list(world.pods) == ["catalog-1-driver"]


@pytest.mark.parametrize(
    ("waiting", "scheduled", "reason", "message"),
    [
        (("Unschedulable", "0/3 nodes are available"), False, "Unschedulable", "0/3 nodes"),
        (("Unschedulable", 'persistentvolumeclaim "data" not found'), False, "ClaimNotFound", "data"),
        (("ImagePullBackOff", "Back-off pulling image x"), True, "ImageUnavailable", "image x"),
        (("CreateContainerConfigError", 'secret "store" not found'), True, "SecretNotFound", "store"),
        (("ContainerCreating", ""), True, "Starting", ""),
    ],
)
def test_the_reason_why_a_driver_does_not_start_is_reported(
    waiting: tuple[str, str], scheduled: bool, reason: str, message: str
) -> None:
    world = World()
    world.converge()
    world.wait(*waiting, scheduled=scheduled).converge()
    assert world.state("DriverReady") == ("False", reason)
    assert message in world.condition("DriverReady").message


def test_a_missing_secret_fails_the_run_after_a_grace_period() -> None:
    world = World()
    world.converge()
    world.wait("ContainerCreating", scheduled=True)
    world.mount_failure = PodWaiting("FailedMount", 'MountVolume.SetUp failed for volume "s": secret "store" not found')
    world.advance(29).converge()
    assert world.state("DriverReady") == ("False", "SecretNotFound")
    assert world.state("Succeeded")[0] == "Unknown"
    world.advance(1).converge()
    assert world.state("Succeeded") == ("False", "SecretNotFound")
    assert "store" in world.condition("Succeeded").message
    assert world.pods == {}


def test_a_secret_reported_missing_only_during_the_grace_period_does_not_fail_the_run() -> None:
    world = World()
    world.converge()
    world.wait("ContainerCreating", scheduled=True)
    missing = 'MountVolume.SetUp failed for volume "s": secret "store" not found'
    world.mount_failure = PodWaiting("FailedMount", missing, START + timedelta(seconds=16))
    world.advance(40).converge()
    assert world.state("Succeeded")[0] == "Unknown"
    world.mount_failure = PodWaiting("FailedMount", missing, START + timedelta(seconds=32))
    world.converge()
    assert world.state("Succeeded") == ("False", "SecretNotFound")


def test_a_driver_that_never_starts_fails_its_attempt() -> None:
    world = World(backoffLimit=1)
    world.converge()
    world.wait("ImagePullBackOff", "no such image").advance(900).converge()
    assert world.status.failed_attempts == 1
    assert world.status.failure and world.status.failure.class_ == "ImageUnavailable"
    assert world.pods == {}  # the driver that never started is gone before the next one


def test_a_long_message_of_a_driver_that_never_starts_fits_into_the_status() -> None:
    world = World(backoffLimit=1)
    world.converge()
    world.wait("ImagePullBackOff", "x" * 10_000).advance(900).converge()
    assert world.status.failure and world.status.failure.class_ == "ImageUnavailable"
    assert len(world.status.failure.message) == 4096


def test_the_deadline_covers_all_attempts() -> None:
    world = running(activeDeadlineSeconds=100)
    world.advance(60).fail().converge()
    world.advance(20).converge()
    world.run()
    assert world.converge().requeue_after == 20
    world.advance(20).converge()
    assert world.state("Succeeded") == ("False", "DeadlineExceeded")
    assert world.driver.deleting


def test_a_success_at_the_deadline_counts() -> None:
    world = running(activeDeadlineSeconds=100)
    world.advance(100).succeed().converge()
    assert world.state("Succeeded") == ("True", "Completed")


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


def test_a_run_created_suspended_does_not_start() -> None:
    world = World(suspend=True)
    world.converge()
    assert (world.created, world.status.start_time) == ([], None)
    world.change(suspend=False).converge()
    assert world.created == ["catalog-1-driver"]


def test_time_in_suspension_does_not_count_towards_the_deadline() -> None:
    world = running(activeDeadlineSeconds=100).change(suspend=True)
    world.converge()
    world.finish_deletions().advance(500).converge()
    world.change(suspend=False).converge()
    assert world.state("Succeeded")[0] == "Unknown"


def test_an_exceeded_quota_is_retried_with_a_growing_wait() -> None:
    world = World()
    world.refusal = Refusal("QuotaExceeded", "exceeded quota: team, requested: memory=2Gi")
    waits = []
    for _ in range(8):
        decision = world.converge()
        assert decision.requeue_after
        waits.append(decision.requeue_after)
        world.advance(decision.requeue_after)
    assert waits == [2, 2, 4, 8, 16, 32, 64, 120]
    assert world.state("QuotaReserved") == ("False", "QuotaExceeded")
    assert world.status.failed_attempts == 0
    world.refusal = None
    world.converge()
    assert world.state("QuotaReserved") == ("True", "Reserved")


@pytest.mark.parametrize(("reason", "stalled"), [("NameTaken", "True"), ("PreviousRunTerminating", "False")])
def test_a_taken_name_is_reported_and_retried(reason: str, stalled: str) -> None:
    world = World()
    world.refusal = Refusal(reason, "Pod catalog-1-driver already exists and is not owned by this resource")
    assert world.converge().requeue_after == 2
    assert world.state("DriverReady") == ("False", reason)
    assert world.state("Stalled") == (stalled, reason)
    world.refusal = None
    world.converge()
    assert world.state("Stalled") == ("False", "AsExpected")


def test_after_the_ttl_pods_and_config_maps_are_deleted_and_nothing_runs_again() -> None:
    world = running(ttlSecondsAfterFinished=60).fail()
    world.converge()
    world.advance(10).converge()
    world.run().succeed()
    assert world.converge().requeue_after == 60
    assert len(world.pods) == len(world.files) == 2
    world.advance(60).converge()
    assert (world.pods, world.files) == ({}, set())
    world.change(suspend=True).converge()
    world.change(suspend=False).advance(1000).converge()
    assert (world.pods, world.state("Succeeded")) == ({}, ("True", "Completed"))


def test_a_resource_in_deletion_is_left_to_the_garbage_collector() -> None:
    world = World()
    world.body["metadata"]["deletionTimestamp"] = "2026-11-25T12:00:00Z"
    world.converge()
    assert (world.created, world.written) == ([], [])


def test_a_spec_that_the_models_reject_is_reported_and_starts_once_it_is_fixed() -> None:
    world = World(backoffLimit=1000)
    world.converge()
    assert world.state("Accepted") == ("False", "SpecInvalid")
    assert "spec.backoffLimit" in world.condition("Accepted").message
    assert world.created == []
    world.change(backoffLimit=3).converge()
    assert world.created == ["catalog-1-driver"]


def test_a_finished_run_stays_finished_even_if_the_models_reject_its_spec() -> None:
    world = running().succeed(3)
    world.converge()
    written = len(world.written)
    world.change(backoffLimit=1000).advance(100).converge()
    assert world.state("Succeeded") == ("True", "Completed")
    assert len(world.written) == written


def test_a_failure_class_never_prevents_the_end_of_a_run() -> None:
    world = running().fail("SpecInvalid", retryable=False)  # a reason of ours for a run that has not ended
    world.converge()
    assert world.state("Succeeded") == ("False", "UnknownPermanentFailure")
    assert "'SpecInvalid'" in world.condition("Succeeded").message
    assert world.status.failed_attempts == 1


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


def test_the_back_off_follows_the_settings() -> None:
    world = World(Settings(backoff_seconds=1))
    world.converge()
    world.run().fail()
    assert world.converge().requeue_after == 1
