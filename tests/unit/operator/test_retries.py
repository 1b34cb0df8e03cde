"""Which failures are retried, how often and when."""

from __future__ import annotations

from featx_operator.settings import Settings

from tests.unit.operator.world import World, running


def test_the_registry_decides_on_a_retry_whatever_the_driver_thinks() -> None:
    world = running().fail("ModelInvalid", retryable=True)
    world.converge()
    assert world.state("Succeeded") == ("False", "ModelInvalid")


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
    assert all(0.75 * longest - 1 <= wait <= longest for wait, longest in zip(waits, (10, 20), strict=True))
    assert world.created == ["catalog-1-driver", "catalog-2-driver", "catalog-3-driver"]
    assert world.state("Succeeded") == ("False", "BackoffLimitExceeded")
    assert world.status.failure and world.status.failure.class_ == "StoreUnreachable"


def test_no_driver_is_created_before_the_back_off_has_passed() -> None:
    world = running().fail()
    wait = world.converge().requeue_after
    assert wait
    world.advance(wait - 1).converge()
    assert world.created == ["catalog-1-driver"]
    world.advance(1).converge()
    assert world.created == ["catalog-1-driver", "catalog-2-driver"]


def test_a_spec_that_was_refused_during_the_back_off_leaves_no_trace() -> None:
    """Otherwise the run would neither be reconciling nor stalled, and count as done for kstatus."""
    world = running().fail()
    world.converge()
    before = world.status.conditions
    world.change(execution={"nodePool": "gpu"}).converge()
    assert world.state("Stalled") == ("True", "NotAllowed")
    world.change(execution={}).converge()
    assert world.state("Reconciling") == ("True", "BackingOff")
    assert [
        (item.type, item.status, item.message) for item in world.status.conditions if item.type != "DriverReady"
    ] == [(item.type, item.status, item.message) for item in before if item.type != "DriverReady"]


def test_the_back_off_is_capped() -> None:
    world = running(backoffLimit=100)
    world.body["status"]["failedAttempts"] = 40
    world.fail()
    wait = world.converge().requeue_after
    assert wait and 0.75 * 360 - 1 <= wait <= 360


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


def test_the_deadline_covers_all_attempts() -> None:
    world = running(activeDeadlineSeconds=100)
    world.advance(60).fail().converge()
    world.advance(20).converge()
    world.run()
    assert world.converge().requeue_after == 20
    world.advance(20).converge()
    assert world.state("Succeeded") == ("False", "DeadlineExceeded")
    assert world.driver.deleting


def test_the_back_off_follows_the_settings() -> None:
    world = World(Settings(backoff_seconds=1))
    world.converge()
    world.run().fail()
    assert world.converge().requeue_after == 1
