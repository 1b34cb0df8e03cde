"""A changed number of executors reaches a driver that works, on a node."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from tests.e2e.operator.harness import Run, kubectl
from tests.e2e.polling import eventually

Start = Callable[..., Run]
SECONDS = 15.0


def has(run: Run, executors: int) -> float:
    """Changes the number; returns the seconds until the status shows that so many run."""
    started = time.monotonic()
    run.change(execution={"executors": executors})
    summary = f"{executors}/{executors}"
    eventually(lambda: run.status["executors"].get("summary") == summary, f"{summary} executors", 2 * SECONDS)
    return time.monotonic() - started


def test_executors_follow_the_spec_up_and_down_within_one_attempt(start: Start) -> None:
    run = start("follow", execution={"executors": 2}).until("ExecutorsReady", "True")
    assert max(has(run, number) for number in (4, 1)) < SECONDS
    assert len(run.pods("executor")) == 1
    assert run.state("Accepted") == ("True", "SpecValid")
    assert (run.status["attempt"], len(run.drivers())) == (1, 1)
    assert "SpecChangeIgnored" not in run.events()


def test_more_executors_than_a_quota_admits_wait_for_it(start: Start) -> None:
    run = start("follow", execution={"executors": 1}).until("ExecutorsReady", "True")
    eventually(lambda: len(kubectl("get", "pods", "--output=name").stdout.split()) == 2, "no pods of others", 90)
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "three"},
        "spec": {"hard": {"pods": "3"}},
    }
    kubectl("apply", "--filename=-", stdin=quota)
    try:
        used = ("get", "resourcequota", "three", "--output=jsonpath={.status.used.pods}")
        eventually(lambda: kubectl(*used).stdout == "2", "a quota that counts")
        run.change(execution={"executors": 3}).until("ExecutorsReady", "False")
        eventually(lambda: run.status["executors"]["summary"] == "2/3", "two of three executors")
    finally:
        kubectl("delete", "resourcequota", "three")
    eventually(lambda: run.status["executors"]["summary"] == "3/3", "three executors")
    assert run.status["attempt"] == 1


def test_what_the_operator_may_not_change_is_reported(start: Start) -> None:
    run = start("follow", execution={"executors": 1}).until("ExecutorsReady", "True")
    role = ("role", "featx-operator", "--type=json")
    rules = json.loads(kubectl("get", *role[:2], "--output=json").stdout)["rules"]
    (index,) = [number for number, rule in enumerate(rules) if rule["resources"] == ["pods"]]

    def grant(verbs: list[str]) -> None:
        change = [{"op": "replace", "path": f"/rules/{index}/verbs", "value": verbs}]
        kubectl("patch", *role, f"--patch={json.dumps(change)}")

    grant([verb for verb in rules[index]["verbs"] if verb != "patch"])
    try:
        run.change(execution={"executors": 2}).until("Accepted", "True", "SpecChangeIgnored")
        assert "spec.execution.executors" in run.condition("Accepted")["message"]
        assert run.state("DriverReady") == ("True", "Running")
    finally:
        grant(rules[index]["verbs"])
    run.until("Accepted", "True", "SpecValid").until("ExecutorsReady", "True")
