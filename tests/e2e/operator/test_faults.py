"""Crashing operators, vanishing pods, deleted resources: one driver at a time, nothing lost, nothing left over."""

from __future__ import annotations

import json
import random
import signal
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.operator.harness import NAMESPACE, Operator, Run, apply, kubectl, scripted
from tests.e2e.polling import eventually

Start = Callable[..., Run]


def test_a_crashed_operator_leaves_the_driver_running(operator: Operator, start: Start) -> None:
    run = start("progress 1/2,executors 1,await,succeed 2").until("ExecutorsReady", "True")
    (driver,) = run.pods("driver")
    operator.kill()
    operator.start().until_active()
    run.proceed()
    run.until("Succeeded", "True")
    assert [pod.metadata.uid for pod in run.pods("driver")] == [driver.metadata.uid]
    assert (run.status["attempt"], run.status["failedAttempts"]) == (1, 0)


def test_a_driver_that_ends_without_an_operator_is_noticed_later(operator: Operator, start: Start) -> None:
    run = start("await,succeed 2").until("DriverReady", "True")
    operator.kill()
    run.proceed()
    eventually(lambda: run.pods("driver")[0].status.phase == "Succeeded", "the driver to end")
    operator.start()
    run.until("Succeeded", "True")


@pytest.mark.parametrize("milliseconds", [0, 15, 30, 45, 60, 90, 130])
def test_an_operator_crash_during_creation_leaves_one_driver(
    operator: Operator, start: Start, milliseconds: int
) -> None:
    operator.until_active()
    run = start("sleep 1,succeed 1|fail SecondDriver")
    time.sleep(milliseconds / 1000)  # the moment of the crash varies
    operator.kill()
    operator.start()
    run.until("Succeeded", "True")
    assert run.drivers() == [f"{run.name}-1-driver"]
    assert run.status["attempt"] == 1


def test_many_runs_survive_repeated_operator_crashes(operator: Operator, start: Start) -> None:
    chance = random.Random(3)
    operator.until_active()
    runs = [start("sleep 1,succeed 1|fail SecondDriver") for _ in range(12)]
    for _ in range(10):
        time.sleep(chance.uniform(0.0, 1.5))  # as above; a new process needs 1 s to become active
        operator.kill()
        operator.start()
    for run in runs:
        run.until("Succeeded", "True")
        assert run.drivers() == [f"{run.name}-1-driver"]
        assert (run.status["attempt"], run.status["failedAttempts"]) == (1, 0)


def test_a_deleted_driver_leads_to_the_next_attempt(start: Start) -> None:
    run = start("executors 1,forever|succeed 3").until("ExecutorsReady", "True")
    kubectl("delete", "pod", f"{run.name}-1-driver")
    run.until("Succeeded", "True")
    assert (run.status["attempt"], run.status["failedAttempts"], run.status["disruptions"]) == (2, 0, 1)


def test_a_driver_that_vanishes_without_an_operator_is_noticed_later(operator: Operator, start: Start) -> None:
    run = start("forever|succeed 3").until("DriverReady", "True")
    operator.kill()
    kubectl("delete", "pod", f"{run.name}-1-driver", "--grace-period=0", "--force")
    operator.start()
    run.until("Succeeded", "True")
    assert (run.status["failedAttempts"], run.status["disruptions"]) == (0, 1)


def test_deleting_a_running_resource_deletes_all_of_its_children(start: Start) -> None:
    run = start("executors 2,forever").until("ExecutorsReady", "False")
    eventually(lambda: len(run.pods("executor")) == 2, "executors")
    kubectl("delete", "fx", run.name)
    eventually(lambda: run.pods() == [] and run.config_maps() == run.secrets() == [], "no children left")


def test_a_resource_can_be_deleted_without_an_operator(operator: Operator, start: Start) -> None:
    run = start("forever").until("DriverReady", "True")
    operator.kill()
    kubectl("delete", "fx", run.name, "--timeout=10s")
    eventually(lambda: run.pods() == [] and run.config_maps() == run.secrets() == [], "no children left")
    operator.start()


def test_a_new_resource_of_the_same_name_gets_a_new_driver(start: Start) -> None:
    run = start("forever").until("DriverReady", "True")
    (first,) = run.pods("driver")
    kubectl("delete", "fx", run.name)
    again = apply(scripted(run.name, "succeed 9")).until("Succeeded", "True")
    (second,) = again.pods("driver")
    assert first.metadata.uid != second.metadata.uid
    assert again.status["failedAttempts"] == 0


def test_a_second_operator_waits_and_takes_over(
    operator: Operator, start: Start, kubeconfig: Path, tmp_path: Path
) -> None:
    second = Operator(kubeconfig, tmp_path / "log", IDENTITY="second").start()
    try:
        eventually(lambda: "another replica is active" in second.log, "the second operator to wait")
        assert "is active now" not in second.log
        run = start("await,succeed 1").until("DriverReady", "True")
        operator.kill()
        run.proceed()
        run.until("Succeeded", "True")
        assert "second is active now" in second.log
        assert run.drivers() == [f"{run.name}-1-driver"]
    finally:
        code = second.stop(signal.SIGTERM)
        operator.start().until_active()
    assert code == 0
    assert "another replica is active" not in operator.log  # the second has released the Lease


def test_an_operator_whose_lease_was_taken_exits(operator: Operator) -> None:
    operator.until_active()
    thief = {"spec": {"holderIdentity": "thief", "renewTime": "2026-11-25T00:00:00.000000Z"}}
    kubectl("patch", "lease", "featx-operator", "--type=merge", "--patch", str(thief).replace("'", '"'))
    eventually(lambda: "lost the Lease" in operator.log, "the operator to exit")
    operator.kill()
    kubectl("delete", "lease", "featx-operator")
    operator.start()


def test_a_namespace_without_permissions_affects_no_other(
    operator: Operator, start: Start, kubeconfig: Path, tmp_path: Path
) -> None:
    operator.kill()
    other = Operator(kubeconfig, tmp_path / "log", NAMESPACES=f"no-such-namespace,{NAMESPACE}").start()
    try:
        start("succeed 1").until("Succeeded", "True")
        assert "no-such-namespace" in other.log
    finally:
        other.kill()
        operator.start()


def test_the_liveness_endpoint_reports_the_queue(operator: Operator, kubeconfig: Path, tmp_path: Path) -> None:
    operator.kill()
    other = Operator(kubeconfig, tmp_path / "log", PROBE_PORT="18437").start().until_active()
    try:
        eventually(lambda: "reconcile" in _health(18437), "an answer of the liveness endpoint")
        assert json.loads(_health(18437))["reconcile"]["queue"] >= 0
    finally:
        other.kill()
        operator.start()


def _health(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def test_a_poisoned_resource_blocks_no_other(start: Start) -> None:
    poisoned = start("forever", execution={"serviceAccountName": "nobody"})
    poisoned.until("DriverReady", "False", "DriverRefused")
    start("succeed 1").until("Succeeded", "True", patience=20)
