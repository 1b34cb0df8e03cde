"""How a run starts, and what it reports when it can't."""

from __future__ import annotations

from datetime import timedelta

import pytest
from featx_operator.state.observed import PodWaiting, Refusal

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
    assert len(world.status.conditions) == 11
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


@pytest.mark.parametrize(
    ("waiting", "scheduled", "reason", "message"),
    [
        (("Unschedulable", "0/3 nodes are available"), False, "Unschedulable", "0/3 nodes"),
        (("Unschedulable", 'persistentvolumeclaim "data" not found'), False, "ClaimNotFound", "data"),
        (("ImagePullBackOff", "Back-off pulling image x"), True, "ImageUnavailable", "image x"),
        (("CreateContainerConfigError", 'secret "store" not found'), True, "SecretNotFound", "store"),
        (("CreateContainerConfigError", 'secret "other" not found'), True, "ContainerConfigError", "other"),
        (("ContainerCreating", ""), True, "Starting", ""),
    ],
)
def test_the_reason_why_a_driver_does_not_start_is_reported(
    waiting: tuple[str, str], scheduled: bool, reason: str, message: str
) -> None:
    world = World()
    world.converge()
    world.absent_secrets = {"store", "other"}
    world.wait(*waiting, scheduled=scheduled).converge()
    assert world.state("DriverReady") == ("False", reason)
    assert message in world.condition("DriverReady").message


def test_a_missing_secret_fails_the_run_after_a_grace_period() -> None:
    world = World()
    world.converge()
    world.wait("ContainerCreating", scheduled=True)
    world.mount_failure = PodWaiting("FailedMount", 'MountVolume.SetUp failed for volume "s": secret "store" not found')
    world.absent_secrets = {"store"}
    world.advance(29).converge()
    assert world.state("DriverReady") == ("False", "SecretNotFound")
    assert world.state("Succeeded")[0] == "Unknown"
    world.advance(1).converge()
    assert world.state("Succeeded") == ("False", "SecretNotFound")
    assert "store" in world.condition("Succeeded").message
    assert world.pods == {}


def test_a_secret_that_is_reported_missing_but_exists_by_now_does_not_fail_the_run() -> None:
    world = World()
    world.converge()
    world.wait("ContainerCreating", scheduled=True)
    missing = 'MountVolume.SetUp failed for volume "s": secret "store" not found'
    world.mount_failure = PodWaiting("FailedMount", missing, START + timedelta(seconds=16))
    world.advance(40).converge()
    assert world.state("Succeeded")[0] == "Unknown"
    assert world.state("DriverReady") == ("False", "Starting")
    assert missing in world.condition("DriverReady").message
    world.absent_secrets = {"store"}
    world.converge()
    assert world.state("Succeeded") == ("False", "SecretNotFound")


def test_an_event_about_volumes_hides_nothing_that_the_pods_own_status_says() -> None:
    world = World(backoffLimit=1)
    world.converge()
    world.wait("ImagePullBackOff", "no such image", scheduled=True)
    world.mount_failure = PodWaiting("FailedMount", "all is well", START)
    world.advance(30).converge()
    assert world.state("DriverReady") == ("False", "ImageUnavailable")
    world.advance(3600).converge()
    assert world.status.failure and world.status.failure.class_ == "ImageUnavailable"


def test_a_driver_that_never_starts_fails_its_attempt() -> None:
    world = World(backoffLimit=1)
    world.converge()
    world.wait("CreateContainerError", "no such user", scheduled=True).advance(900).converge()
    assert world.status.failed_attempts == 1
    assert world.status.failure and world.status.failure.class_ == "ContainerConfigError"
    assert world.pods == {}  # the driver that never started is gone before the next one


def test_a_long_message_of_a_driver_that_never_starts_fits_into_the_status() -> None:
    world = World(backoffLimit=1)
    world.converge()
    world.wait("ImagePullBackOff", "x" * 10_000).advance(3600).converge()
    assert world.status.failure and world.status.failure.class_ == "ImageUnavailable"
    assert len(world.status.failure.message) == 4096


def test_a_run_created_suspended_does_not_start() -> None:
    world = World(suspend=True)
    world.converge()
    assert (world.created, world.status.start_time) == ([], None)
    world.change(suspend=False).converge()
    assert world.created == ["catalog-1-driver"]


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


def test_a_resource_in_deletion_is_left_to_the_garbage_collector() -> None:
    world = World()
    world.body["metadata"]["deletionTimestamp"] = "2026-11-25T12:00:00Z"
    world.converge()
    assert (world.created, world.written) == ([], [])


def test_a_resource_in_deletion_has_no_pods_although_a_finalizer_of_others_keeps_it() -> None:
    world = World()
    world.converge()
    assert world.driver
    world.body["metadata"]["deletionTimestamp"] = "2026-11-25T12:00:00Z"
    world.converge()
    assert all(pod.ended or pod.deleting for pod in world.pods.values())
    assert world.created == ["catalog-1-driver"]


def test_a_spec_that_the_models_reject_is_reported_and_starts_once_it_is_fixed() -> None:
    world = World(backoffLimit=1000)
    world.converge()
    assert world.state("Accepted") == ("False", "SpecInvalid")
    assert "spec.backoffLimit" in world.condition("Accepted").message
    assert world.created == []
    world.change(backoffLimit=3).converge()
    assert world.created == ["catalog-1-driver"]
