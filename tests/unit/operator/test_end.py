"""How a run ends, and what it reports then."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.operator.world import START, running


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


def test_a_long_message_of_the_kubelet_is_cut_to_what_the_status_holds() -> None:
    world = running().end(143, disruption="Evicted")
    world._update("catalog-1-driver", message="the node is low on memory " * 500)
    world.converge()
    assert world.status.failure and world.status.failure.class_ == "DriverEvicted"


def test_executors_that_outlive_their_driver_are_stopped() -> None:
    world = running().executors(ready=2)
    world.succeed().converge()
    world.finish_deletions()
    assert list(world.pods) == ["catalog-1-driver"]


def test_a_success_at_the_deadline_counts() -> None:
    world = running(activeDeadlineSeconds=100)
    world.advance(100).succeed().converge()
    assert world.state("Succeeded") == ("True", "Completed")


def test_after_the_ttl_pods_and_config_maps_are_deleted_and_nothing_runs_again() -> None:
    world = running(ttlSecondsAfterFinished=60).fail()
    world.converge()
    world.advance(10).converge()
    world.run().succeed()
    assert world.converge().requeue_after == 60
    assert (len(world.pods), world.files) == (2, {2})
    world.advance(60).converge()
    assert (world.pods, world.files) == ({}, set())
    world.change(suspend=True).converge()
    world.change(suspend=False).advance(1000).converge()
    assert (world.pods, world.state("Succeeded")) == ({}, ("True", "Completed"))


def test_after_the_ttl_a_driver_that_is_still_terminating_keeps_its_files() -> None:
    world = running(ttlSecondsAfterFinished=0, activeDeadlineSeconds=100).advance(100)
    assert world.converge().requeue_after == world.settings.resync_seconds
    assert (world.driver.deleting, world.files) == (True, {1})
    world.finish_deletions().converge()
    assert (world.pods, world.files) == ({}, set())


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


def test_after_a_change_of_a_finished_run_all_conditions_are_about_the_new_generation() -> None:
    world = running().succeed(3)
    world.converge()
    ended = world.condition("Succeeded").last_transition_time
    world.advance(100).change(ttlSecondsAfterFinished=3600).converge()
    # kubectl wait ignores a condition of an older generation.
    assert {condition.observed_generation for condition in world.status.conditions} == {2}
    assert world.condition("Succeeded").last_transition_time == ended


def test_after_a_change_the_conditions_that_stay_as_they_are_are_about_the_new_generation_too() -> None:
    world = running().change(backoffLimit=1000)  # the models reject it: nothing is known about the pods
    world.converge()
    assert {condition.observed_generation for condition in world.status.conditions} == {2}
