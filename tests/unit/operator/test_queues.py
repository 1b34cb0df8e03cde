"""Runs in a queue of Kueue: what starts when, what stops when, and what Kueue is told."""

from __future__ import annotations

import pytest
from featx_api.status import Progress
from featx_operator import kueue
from featx_operator.decisions import conditions
from featx_operator.decisions.events import events_between
from featx_operator.decisions.plan import plan
from featx_operator.decisions.run import CreateAttempt, CreateWorkload, ReclaimExecutors, ReleaseQuota
from featx_operator.settings import Settings

from tests.unit.operator.queued_world import SETTINGS, QueuedWorld, admitted
from tests.unit.operator.world import World


def pods_ready(world: QueuedWorld) -> tuple[str, str]:
    assert world.workload
    condition = world.workload.conditions["PodsReady"]
    return condition.status, condition.reason


def test_nothing_starts_before_the_admission() -> None:
    world = QueuedWorld()
    world.converge()
    assert world.workload
    world.pend("insufficient unused quota for cpu, 2 more needed").converge()
    assert (world.created, world.files) == ([], set())
    assert world.state("QuotaReserved") == ("False", "Queued")
    assert world.condition("QuotaReserved").message == "insufficient unused quota for cpu, 2 more needed"
    assert world.state("Succeeded") == ("Unknown", "Queued")


def test_quota_that_is_reserved_is_not_yet_an_admission() -> None:
    world = QueuedWorld()
    world.converge()
    world.set("QuotaReserved", "True", "QuotaReserved").set("Admitted", "False", "Unsatisfied", "a check is pending")
    world.converge()
    assert world.created == []
    assert world.condition("QuotaReserved").message == "a check is pending"


def test_an_admitted_run_starts_where_its_flavor_is() -> None:
    world = admitted()
    assert world.created == ["catalog-1-driver"]
    assert world.state("QuotaReserved") == ("True", "Reserved")
    assert world.condition("QuotaReserved").message == "admitted by ClusterQueue cluster"
    (attempt,) = [action for action in world.actions if isinstance(action, CreateAttempt)]
    for role, placement in (("driver", attempt.placements.driver), ("executor", attempt.placements.executor)):
        assert placement.labels == {kueue.POD_SET_LABEL: role}
        assert placement.node_selector == {"pool": "spot"}
        assert placement.tolerations == ({"key": "spot", "operator": "Exists"},)


def test_a_run_without_a_queue_name_has_no_workload() -> None:
    world = QueuedWorld().label(kueue.QUEUE_LABEL, None)
    world.converge()
    assert (world.workload, world.created) == (None, ["catalog-1-driver"])


@pytest.mark.parametrize(
    ("settings", "memory", "priority", "reason", "way_out"),
    [
        (Settings(), "2Gi", None, "QueueingOff", "kueue.enabled"),
        (SETTINGS, None, None, "QueueNeedsMemory", "spec.execution.memory must be set"),
        (SETTINGS, "2Gi", "urgent", "NotAllowed", "use one of high, low"),
    ],
)
def test_a_run_that_can_not_be_queued_says_so_and_stalls(
    settings: Settings, memory: str | None, priority: str | None, reason: str, way_out: str
) -> None:
    world = QueuedWorld(settings)
    world.body["spec"]["execution"]["memory"] = memory
    world.label(kueue.PRIORITY_LABEL, priority).converge()
    assert (world.workload, world.created) == (None, [])
    assert world.state("Stalled") == ("True", reason)
    assert way_out in world.condition("Stalled").message


def test_an_evicted_run_stops_then_gives_its_quota_back_and_waits_again() -> None:
    world = admitted()
    world.report(40).advance(20).converge()
    world.evict().converge()
    assert world.driver.deleting
    assert world.state("QuotaReserved") == ("False", "Evicted")
    assert world.workload and world.workload.reserved, "the driver is still terminating"
    world.finish_deletions().converge()
    (release,) = [action for action in world.actions if isinstance(action, ReleaseQuota)]
    assert (release.reason, release.requeued) == ("Preempted", True)
    assert world.state("QuotaReserved") == ("False", "Queued")
    assert (world.status.attempt, world.status.failed_attempts, world.status.workload) == (2, 0, None)
    assert world.status.progress and world.status.progress.images_done == 40
    world.admit().converge()
    assert world.created == ["catalog-1-driver", "catalog-2-driver"]


@pytest.mark.parametrize(("reason", "requeued"), [("NodeFailures", True), ("PodsReadyTimeout", False), ("X", False)])
def test_kueue_itself_queues_a_run_again_unless_it_was_preempted(reason: str, requeued: bool) -> None:
    world = admitted().evict(reason)
    world.converge()
    world.finish_deletions().converge()
    (release,) = [action for action in world.actions if isinstance(action, ReleaseQuota)]
    assert release.requeued is requeued


def test_an_eviction_before_the_driver_exists_costs_no_attempt() -> None:
    world = QueuedWorld()
    world.converge()
    world.admit().evict().converge()
    assert (world.created, world.status.attempt) == ([], 1)
    assert world.workload and not world.workload.reserved


def test_a_run_that_succeeds_while_it_is_evicted_has_succeeded() -> None:
    world = admitted().evict()
    world.succeed().converge()
    assert world.state("Succeeded") == ("True", "Completed")
    assert world.workload and world.workload.is_true("Finished")


def test_a_run_whose_workload_is_deleted_stops_and_queues_again() -> None:
    world = admitted()
    world.workload = None
    world.converge()
    assert world.driver.deleting
    assert "was deleted" in world.condition("QuotaReserved").message
    world.finish_deletions().converge()
    assert world.workload and not world.workload.reserved
    assert world.status.attempt == 2


def test_the_end_is_reported_once_no_pod_is_left() -> None:
    world = admitted()
    world.executors(ready=1)
    world.succeed()
    world.reconcile()
    assert world.workload and not world.workload.is_true("Finished"), "an executor still runs"
    world.converge()
    world.finish_deletions().converge()
    assert world.workload.conditions["Finished"].reason == "Succeeded"
    assert world.workload.conditions["Finished"].message.startswith("Completed: 100 features")


def test_a_failed_run_gives_its_quota_back_too() -> None:
    world = admitted()
    world.fail("ModelInvalid", retryable=False).converge()
    assert world.workload and world.workload.conditions["Finished"].reason == "Failed"


def test_the_workload_goes_with_the_pods_of_a_finished_run() -> None:
    world = admitted(ttlSecondsAfterFinished=60)
    world.succeed().converge()
    assert world.workload
    world.advance(61).converge()
    assert world.workload is None
    assert not world.pods


def test_a_suspended_run_holds_no_quota_and_queues_again() -> None:
    world = admitted()
    world.change(suspend=True).converge()
    assert world.workload, "the driver is still terminating"
    world.finish_deletions().converge()
    assert world.workload is None
    assert world.state("QuotaReserved") == ("False", "Suspended")
    world.change(suspend=False).converge()
    assert world.state("QuotaReserved") == ("False", "Queued")
    world.admit().converge()
    assert world.status.attempt == 2
    assert world.created == ["catalog-1-driver", "catalog-2-driver"]


def test_a_deactivated_run_is_suspended_until_its_workload_is_active_again() -> None:
    world = admitted()
    assert world.workload
    object.__setattr__(world.workload, "active", False)
    world.evict("Deactivated", "The workload is deactivated").converge()
    world.finish_deletions().converge()
    assert world.state("Suspended") == ("True", "Deactivated")
    assert "spec.active to true" in world.condition("Suspended").message
    assert world.workload
    object.__setattr__(world.workload, "active", True)
    world.converge()
    world.admit().converge()
    assert world.state("Suspended")[0] == "False"
    assert world.created == ["catalog-1-driver", "catalog-2-driver"]


def test_retries_keep_the_quota_and_kueue_knows_that_pods_are_missing() -> None:
    world = admitted()
    assert pods_ready(world) == ("True", "Started")
    world.fail().converge()
    assert pods_ready(world) == ("False", "WaitForRecovery")
    assert world.workload and world.workload.admitted
    world.advance(60).converge()
    world.run().converge()
    assert pods_ready(world) == ("True", "Recovered")
    assert world.status.attempt == 2


def test_a_driver_that_lists_its_source_is_ready_without_executors() -> None:
    world = admitted()
    world.advance(7200).converge()
    assert pods_ready(world) == ("True", "Started")


def test_an_executor_makes_a_run_unready_after_a_minute() -> None:
    world = admitted()
    world.executors(ready=0, waiting=1)
    assert world.converge().requeue_after == 60
    assert pods_ready(world) == ("True", "Started")
    world.advance(61).converge()
    assert pods_ready(world) == ("False", "WaitForRecovery")
    world.executors(ready=1).converge()
    assert pods_ready(world) == ("True", "Recovered")


def test_a_queue_name_can_change_while_the_run_waits_but_not_while_it_has_quota() -> None:
    world = QueuedWorld()
    world.converge()
    world.label(kueue.QUEUE_LABEL, "other").converge()
    assert world.workload and world.workload.queue == "other"
    world.admit().converge()
    world.label(kueue.QUEUE_LABEL, "third").converge()
    assert (world.workload.queue, world.created) == ("other", ["catalog-1-driver"])


def test_a_run_that_asks_for_more_while_it_waits_gets_another_workload() -> None:
    world = QueuedWorld()
    world.converge()
    first = world.workload
    world.change(execution={"memory": "2Gi", "executors": 4}).converge()
    assert world.workload and first
    assert (world.workload.uid != first.uid, world.workload.pod_sets["executor"].count) == (True, 4)


def test_a_workload_that_asks_for_less_than_the_run_uses_does_not_count() -> None:
    world = QueuedWorld(execution={"memory": "2Gi", "executors": 4})
    world.converge()
    assert world.workload
    world.workload.pod_sets["executor"].requests["cpu"] *= 0  # type: ignore[index]
    forged = world.admit().workload
    world.converge()
    assert forged and world.workload.uid != forged.uid
    assert world.created == []


def test_the_deadline_does_not_count_in_a_queue() -> None:
    world = QueuedWorld(activeDeadlineSeconds=100)
    world.converge()
    world.advance(1000).converge()
    assert world.state("Succeeded") == ("Unknown", "Queued")
    world.admit().converge()
    assert world.status.start_time == world.now
    world.advance(101).converge()
    assert world.state("Succeeded") == ("False", "DeadlineExceeded")


def test_dynamic_allocation_takes_what_it_is_granted_and_gives_back_what_it_no_longer_needs() -> None:
    world = QueuedWorld(execution={"memory": "2Gi", "minExecutors": 1, "maxExecutors": 8})
    world.converge()
    assert world.workload and world.workload.pod_sets["executor"].least == 1
    world.admit(count=3).converge()
    (attempt,) = [action for action in world.actions if isinstance(action, CreateAttempt)]
    assert attempt.placements.most_executors == 3

    world = admitted(execution={"memory": "2Gi", "minExecutors": 1, "maxExecutors": 8})
    world.executors(ready=2)
    shards = {"images_total": 100, "shards_total": 90}
    world._update(world.driver.name, progress=Progress(**shards, shards_done=60))
    world.advance(60).converge()
    assert not [action for action in world.actions if isinstance(action, ReclaimExecutors)], "30 shards keep all busy"
    world._update(world.driver.name, progress=Progress(**shards, shards_done=81))
    world.advance(60).converge()
    assert world.workload and world.workload.reclaimable == 5


@pytest.mark.parametrize("queue", ["team", None])
def test_a_run_of_another_controller_is_left_alone(queue: str | None) -> None:
    world = QueuedWorld(managedBy="example.com/other").label(kueue.QUEUE_LABEL, queue)
    world.converge()
    assert (world.actions, world.written) == ([], [])


def test_multikueue_gets_a_workload_and_nothing_else() -> None:
    world = QueuedWorld(managedBy="kueue.x-k8s.io/multikueue")
    world.converge()
    world.admit().converge()
    assert world.actions == [CreateWorkload("team", "")]
    assert (world.written, world.created) == ([], [])
    world.evict().converge()
    assert world.workload and not world.workload.reserved


def test_events_tell_of_queue_admission_and_eviction() -> None:
    world = QueuedWorld()
    before = world.status
    reasons: list[str] = []

    def note() -> None:
        nonlocal before
        reasons.extend(event.reason for event in events_between(before, world.status))
        before = world.status

    for step in (world.converge, lambda: world.admit().converge(), lambda: world.run().converge()):
        while step().requeue_after == 0:
            note()
        note()
    world.evict().reconcile()
    note()
    assert reasons == ["Queued", "Admitted", "DriverCreated", "Evicted"]


def test_a_run_that_ran_without_a_queue_is_not_stopped_by_a_label() -> None:
    world = QueuedWorld().label(kueue.QUEUE_LABEL, None)
    world.converge()
    world.run().converge()
    world.label(kueue.QUEUE_LABEL, "team").converge()
    assert not world.driver.deleting
    world.fail().advance(60).converge()
    assert world.workload, "its next attempt is queued"
    assert world.created == ["catalog-1-driver"]


def test_conditions_of_other_runs_are_as_before() -> None:
    plain, queueing = World(), World(SETTINGS)
    assert plan(plain.body, plain.observed(), plain.now, plain.settings).status == (
        plan(queueing.body, queueing.observed(), queueing.now, queueing.settings).status
    )
    assert conditions.find(plain.status.conditions, "QuotaReserved") is None
