"""A fixed number of executors follows the spec while an attempt works, within what Kueue has admitted."""

from __future__ import annotations

import pytest
from featx_api import contract
from featx_api.contract import JobSpec
from featx_operator import manifests
from featx_operator.decisions.run import CreateAttempt, ScaleExecutors
from featx_operator.objects import resource_of
from featx_operator.state.observed import Refusal, pod_from
from featx_operator.state.workload import Placements

from tests.unit.operator.queued_world import QueuedWorld, admitted
from tests.unit.operator.world import World, running

IGNORED = ("True", "SpecChangeIgnored")


def scale(world: World, executors: int) -> World:
    """Changes the number, and nothing else."""
    world.change(execution={**world.body["spec"]["execution"], "executors": executors}).converge()
    return world


@pytest.mark.parametrize("number", [1, 5])
def test_a_driver_is_asked_for_the_number_of_the_spec_and_keeps_its_attempt(number: int) -> None:
    world = running().executors(ready=2)
    world.advance(60).converge()
    scale(world, number).advance(60).converge()
    assert world.driver.executors == number
    assert world.state("Accepted") == ("True", "SpecValid")
    assert world.status.executors and world.status.executors.summary == f"2/{number}"
    assert world.state("ExecutorsReady") == (("True", "AllReady") if number == 1 else ("False", "Waiting"))
    assert (world.status.attempt, world.created.count("catalog-1-driver")) == (1, 1)


def test_a_driver_that_does_not_run_yet_is_asked_too() -> None:
    world = World()
    world.converge()
    assert scale(world, 7).driver.executors == 7


def test_the_next_attempt_starts_with_the_new_number() -> None:
    world = scale(running(), 3)
    world.delete("catalog-1-driver").finish_deletions().converge()
    world.advance(600).converge()
    assert (world.status.attempt, world.driver.executors) == (2, 3)


def test_a_driver_that_ends_is_not_asked_any_more() -> None:
    world = running().succeed()
    scale(world, 9)
    assert world.status.state == "Succeeded"


@pytest.mark.parametrize("how", ["an earlier operator's driver", "dynamic"])
def test_a_number_that_can_not_change_is_reported_as_ignored(how: str) -> None:
    world = running()
    if how == "dynamic":
        bounds = {"minExecutors": 1, "maxExecutors": 5, "cores": 1, "memory": "3Gi"}
        world = running(execution=bounds)
        world.change(execution={**bounds, "maxExecutors": 6}).converge()
    else:
        world._update(world.driver.name, executors=None)
        scale(world, 5)
    assert world.state("Accepted") == IGNORED
    assert world.driver.executors is None


def test_a_change_that_the_api_server_refuses_is_reported_and_tried_again() -> None:
    world = running()
    world.refusal = Refusal("DriverRefused", "pods is forbidden")
    scale(world, 5)
    assert world.state("Accepted") == IGNORED
    assert world.condition("Accepted").message.startswith("spec.execution.executors: changed after attempt 1")
    assert world.state("DriverReady") == ("True", "Running")
    assert world.converge().requeue_after == 15
    world.refusal = None
    world.converge()
    assert (world.state("Accepted"), world.driver.executors) == (("True", "SpecValid"), 5)


# Kueue


def test_a_run_never_gets_more_than_kueue_has_admitted() -> None:
    world = admitted(execution={"memory": "2Gi", "executors": 4})
    scale(world, 6)
    assert world.driver.executors == 4
    assert world.state("Accepted") == IGNORED
    assert "has the 4 executors that Kueue has admitted" in world.condition("Accepted").message
    assert world.status.executors and world.status.executors.desired == 4


def given_back() -> QueuedWorld:
    """A run that was admitted with four executors and has two by now."""
    world = admitted(execution={"memory": "2Gi", "executors": 4})
    world.executors(ready=4)
    world.converge()
    scale(world, 2)
    assert world.workload and world.workload.reclaimable == 0, "four pods exist"
    for number in (3, 2):
        world.delete(f"catalog-1-exec-{number}").finish_deletions()
    world.converge()
    assert world.workload.reclaimable == 2
    return world


def test_what_is_given_back_to_kueue_is_gone() -> None:
    world = given_back()
    scale(world, 4)
    assert world.driver.executors == 2
    assert world.state("Accepted") == IGNORED
    assert world.workload and world.workload.reclaimable == 2


def test_the_next_attempt_needs_no_other_admission_for_fewer_executors() -> None:
    world = given_back()
    workload = world.workload
    world.delete("catalog-1-driver").finish_deletions().converge()
    world.advance(600).converge()
    assert world.workload and workload and world.workload.uid == workload.uid
    (*_, attempt) = [action for action in world.actions if isinstance(action, CreateAttempt)]
    assert (attempt.attempt, attempt.placements.most_executors) == (2, 2)
    assert world.driver.executors == 2


def test_the_next_attempt_queues_again_for_more_executors() -> None:
    world = given_back()
    workload = world.workload
    scale(world, 3)
    world.delete("catalog-1-driver").finish_deletions().converge()
    world.advance(600).converge()
    assert world.workload and workload and world.workload.uid != workload.uid
    assert (world.workload.pod_sets["executor"].count, world.status.state) == (3, "Queued")


# What operator and driver exchange


def job(most: int | None = None, **execution: int | None) -> JobSpec:
    """A job file as the operator writes it."""
    body = World().change(execution=execution).body
    data = manifests.config_map(resource_of(body), 1, placements=Placements(most_executors=most))["data"]
    return JobSpec.from_json(data["job.json"])


@pytest.mark.parametrize(
    ("annotation", "executors"),
    [
        *(("7", 7), ("1", 1), ("1000", 1000)),
        *((text, None) for text in ("", "0", "-1", "1001", "9" * 400, "1.5", " 7", "7\n", "٧", "0x7", "many")),
        (None, None),
    ],
)
def test_only_a_number_that_a_resource_may_have_counts(annotation: str | None, executors: int | None) -> None:
    assert job(executors=2).executors(annotation) == executors
    assert job(minExecutors=1, maxExecutors=9).executors(annotation) is None


def test_an_annotation_gives_no_more_than_was_granted() -> None:
    assert job(4, executors=2).executors("900") == 4
    assert job(executors=2, cores=128).executors("900") == 78


def test_the_pod_that_is_created_has_the_number_that_is_read_from_it() -> None:
    world = World()
    for execution, number in (({"executors": 3}, 3), ({}, 1), ({"minExecutors": 1, "maxExecutors": 4}, None)):
        resource = resource_of(world.change(execution=execution).body)
        pod = {**manifests.driver_pod(resource, 1, "image"), "status": {}}
        reduced = pod_from(pod)
        assert reduced and reduced.executors == number
        assert (contract.EXECUTORS_ANNOTATION in pod["metadata"]["annotations"]) == (number is not None)


def test_the_action_names_the_uid_of_the_driver() -> None:
    world = admitted(execution={"memory": "2Gi", "executors": 4})
    scale(world, 2)
    (action,) = [action for action in world.actions if isinstance(action, ScaleExecutors)]
    assert action == ScaleExecutors("catalog-1-driver", world.driver.uid, 2)
