"""Two teams share four cores: what runs when, what is preempted, and what becomes of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

import pytest
from featx_operator import kueue

from tests.e2e.kueue.queues import (
    CORES,
    NODE_LABEL,
    READY_SECONDS,
    RUN_CORES,
    TEAMS,
    Usage,
    delete,
    queued,
    state,
    workload,
)
from tests.e2e.operator.harness import Operator, Run, kubectl, scripted
from tests.e2e.polling import eventually

Start = Callable[..., Run]
LONG = "progress 30/100,forever|progress 60/100,succeed 100"


def is_finished(run: Run) -> bool:
    """Whether Kueue knows that a run has succeeded."""
    return state(run, "Finished") == ("True", "Succeeded")


def test_an_admitted_run_starts_where_its_flavor_is_and_kueue_knows_how_it_goes(start: Start) -> None:
    run = start("admitted", "progress 30/100,executors 1,sleep 8,succeed 100", execution={"executors": 1})
    run.until("DriverReady", "True")
    (driver,) = run.pods("driver")
    assert driver.spec.node_selector == {NODE_LABEL: "yes"}
    assert driver.metadata.labels[kueue.POD_SET_LABEL] == "driver"
    assert "e2e" in {toleration.key for toleration in driver.spec.tolerations}
    (files,) = run.config_maps()
    template = kubectl("get", "configmap", files, "--output=jsonpath={.data.executor-pod\\.yaml}").stdout
    assert f"{NODE_LABEL}: 'yes'" in template
    assert f"{kueue.POD_SET_LABEL}: executor" in template
    admission = workload(run)["status"]["admission"]
    usage = {item["name"]: item["resourceUsage"] for item in admission["podSetAssignments"]}
    assert usage == {"driver": {"cpu": "250m", "memory": "64Mi"}, "executor": {"cpu": "1", "memory": "64Mi"}}
    eventually(lambda: state(run, "PodsReady") == ("True", "Started"), "pods are reported as ready")
    assert run.condition("QuotaReserved")["message"] == "admitted by ClusterQueue red"
    run.until("Succeeded", "True")
    eventually(partial(is_finished, run), "the end is reported")
    assert run.events() == ["Queued", "Admitted", "DriverCreated", "Succeeded"]


def test_twenty_runs_go_through_four_cores_and_never_use_more(operator: Operator) -> None:
    usage = Usage()
    usage.start()
    started = time.monotonic()
    runs = [queued(f"many-{number}", "progress 1/2,succeed 2") for number in range(20)]
    try:
        for run in runs:
            run.until("Succeeded", "True", patience=150)
        seconds = time.monotonic() - started
        for run in runs:
            eventually(partial(is_finished, run), f"{run.name} is finished")
    finally:
        usage.stop()
        delete(*runs)
    assert 1 < usage.most <= 2 * CORES / RUN_CORES, usage
    sys.stdout.write(f"20 runs in {seconds:.0f} s, at most {usage.most} at a time in {usage.samples} samples\n")
    left = partial(kubectl, "--namespace", TEAMS["red"], "get", "workloads", "--output=name")
    eventually(lambda: left().stdout == "", "Workloads go with their runs")


def test_a_team_borrows_and_gives_back_and_the_preempted_run_resumes(start: Start) -> None:
    red = [start(f"borrower-{number}", LONG) for number in range(3)]
    for run in red:
        run.until("DriverReady", "True")
    eventually(lambda: all(run.status["progress"]["imagesDone"] == 30 for run in red), "all three work")
    blue = start("owner", "progress 1/2,sleep 3,succeed 2", team="blue")
    blue.until("DriverReady", "True")
    (victim,) = [run for run in red if "Evicted" in run.events()]
    assert victim.state("QuotaReserved") == ("False", "Queued")
    assert victim.pods("driver") == []
    assert victim.status["progress"]["imagesDone"] == 30
    assert state(victim, "Requeued") == ("True", "Preempted")
    assert victim.condition("QuotaReserved")["message"]
    blue.until("Succeeded", "True")
    victim.until("Succeeded", "True")
    assert (victim.status["attempt"], victim.status["failedAttempts"]) == (2, 0)
    assert [run.status["attempt"] for run in red if run is not victim] == [1, 1]


def test_a_run_of_a_higher_priority_preempts_one_of_a_lower(start: Start) -> None:
    low = [start(f"low-{number}", LONG, priority="low") for number in range(3)]
    for run in low:
        run.until("DriverReady", "True")
    high = start("high", "succeed 1", priority="high")
    assert eventually(lambda: workload(high))["spec"]["priority"] == 1000
    high.until("Succeeded", "True")
    assert sum("Evicted" in run.events() for run in low) == 1


def test_a_run_waits_with_the_words_of_kueue(start: Start) -> None:
    nowhere = start("nowhere", "succeed 1", queue="missing").until("QuotaReserved", "False", "Queued")
    eventually(lambda: "missing" in nowhere.condition("QuotaReserved")["message"], "Kueue's message")
    large = start("large", "succeed 1", execution={"executors": 8})
    eventually(lambda: "cpu" in large.condition("QuotaReserved").get("message", ""), "Kueue's message")
    assert large.state("Succeeded") == ("Unknown", "Queued")
    assert large.pods() == []
    large.change(execution={"executors": 1}).until("Succeeded", "True")


def test_a_suspended_run_holds_no_quota_and_a_deactivated_one_is_suspended(start: Start) -> None:
    run = start("paused", "progress 1/9,forever|progress 2/9,forever|succeed 9").until("DriverReady", "True")
    run.change(suspend=True).until("Suspended", "True", "Suspended")
    eventually(lambda: workload(run) == {}, "no Workload is left")
    run.change(suspend=False).until("DriverReady", "True")
    name = workload(run)["metadata"]["name"]
    kubectl("patch", "workload", name, "--type=merge", "--patch", '{"spec":{"active":false}}')
    run.until("Suspended", "True", "Deactivated")
    assert run.pods("driver")[:-1] == run.pods("driver")
    assert state(run, "QuotaReserved")[0] == "False"
    kubectl("patch", "workload", name, "--type=merge", "--patch", '{"spec":{"active":true}}')
    run.until("Succeeded", "True")
    assert (run.status["attempt"], run.status["failedAttempts"]) == (3, 0)


def test_pods_that_do_not_get_ready_are_evicted_and_a_long_run_is_not(start: Start, operator: Operator) -> None:
    long = start("long", f"progress 1/9,sleep {READY_SECONDS * 1.5},succeed 9").until("DriverReady", "True")
    stuck = start("stuck", "succeed 1", execution={"nodePool": "no-such-pool"})
    eventually(lambda: "Evicted" in stuck.events(), "the eviction", 3 * READY_SECONDS)
    assert "PodsReadyTimeout" in str(workload(stuck)["status"]["conditions"])
    operator.kill()  # in the middle of it
    operator.start().until_active()
    eventually(lambda: stuck.status["attempt"] > 1, "the next attempt")
    assert stuck.status["failedAttempts"] == 0
    long.until("Succeeded", "True", patience=2 * READY_SECONDS)
    assert "Evicted" not in long.events()


def test_a_queue_is_required_where_the_platform_team_says_so_and_fixed_while_it_is_used(start: Start) -> None:
    unqueued = scripted("unqueued", "succeed 1")
    unqueued["metadata"]["namespace"] = TEAMS["blue"]
    refused = kubectl("--namespace", TEAMS["blue"], "apply", "--filename=-", stdin=unqueued, check=False)
    assert "need kueue.x-k8s.io/queue-name" in refused.stderr
    run = start("fixed", "forever").until("DriverReady", "True")
    for label in (f"{kueue.QUEUE_LABEL}=other", f"{kueue.QUEUE_LABEL}-"):
        changed = kubectl("label", "fx", run.name, label, "--overwrite", check=False)
        assert "can't change while the run holds quota" in changed.stderr


def test_a_run_of_another_controller_is_left_alone(start: Start) -> None:
    run = start("elsewhere", "succeed 1", managedBy="example.com/other")
    multikueue = start("multikueue", "succeed 1", managedBy=kueue.MULTIKUEUE)
    eventually(lambda: state(multikueue, "Admitted")[0] == "True", "a Workload for MultiKueue")
    assert (workload(run), multikueue.pods()) == ({}, [])
    for unseen in (run, multikueue):
        assert (unseen.status["observedGeneration"], unseen.column) == (-1, "WaitingForOperator")
    changed = kubectl("patch", "fx", run.name, "--type=merge", "--patch", '{"spec":{"managedBy":null}}', check=False)
    assert "spec.managedBy cannot change" in changed.stderr


@pytest.mark.parametrize("memory", [None])
def test_a_run_without_memory_says_what_is_missing(start: Start, memory: None) -> None:
    run = start("small", "succeed 1", execution={"memory": memory}).until("Stalled", "True", "QueueNeedsMemory")
    assert "spec.execution.memory must be set" in run.condition("Stalled")["message"]
    assert workload(run) == {}
