"""Every state of a run, seen in the first column of `kubectl get fx` on a node, with the resource that leads to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from featx_api.states import FAILED, RunState
from featx_operator import manifests

from examples.cluster.runtime import PAUSE_IMAGE
from tests.e2e.operator.harness import NAMESPACE, Operator, Run, apply, kubectl, scripted, secret
from tests.e2e.polling import eventually

Start = Callable[..., Run]


class Seen(NamedTuple):
    """A resource and the state that it leads to.

    Attributes:
        message: Part of the message.
        script: Of the driver.
        spec: Of the resource.
        is_reported: Whether an Event has the state as its reason.
    """

    message: str
    script: str
    spec: dict[str, Any]
    is_reported: bool = True


def store(name: str) -> dict[str, Any]:
    return {"source": {"s3": {"bucket": "images", "secretRef": {"name": name}}}}


#: By state. `docs/reference/states.md` explains each.
SEEN = {
    "Unschedulable": Seen("0/1 nodes are available", "", {"execution": {"nodePool": "no-such-pool"}}),
    "ImageUnavailable": Seen("no-such-image", "", {"execution": {"image": "localhost/featx/no-such-image:1"}}),
    "SecretNotFound": Seen("Secret no-such-store not found", "", store("no-such-store")),
    "SecretNotAllowed": Seen("kubectl label secret unlabelled", "", store("unlabelled")),
    "ClaimNotFound": Seen("no-such-claim", "", {"source": {"claim": {"name": "no-such-claim"}}}),
    "DriverRefused": Seen("nobody", "", {"execution": {"serviceAccountName": "nobody"}}),
    "NotAllowed": Seen("spec.execution.nodePool: forbidden", "", {"execution": {"nodePool": "forbidden"}}),
    "Running": Seen("", "executors 1,forever", {}, is_reported=False),
    "ExecutorsPending": Seen("0/1 nodes are available", "stuck 1,forever", {}),
    "Calibrating": Seen("does not respond", "waiting Calibrating,forever", {}),
    "StoreUnreachable": Seen("the store does not respond", "waiting StoreUnreachable,forever", {}),
    "Suspended": Seen("", "forever", {"suspend": True}),
    "Cancelled": Seen("spec.cancel is true", "forever", {"cancel": True}, is_reported=False),
    "Succeeded": Seen("5 features", "succeed 5", {}),
    "Failed:ModelInvalid": Seen("by the script", "fail ModelInvalid", {}, is_reported=False),
    "Failed:StoreUnreachable": Seen(
        "all 1 attempts failed", "fail-retryable StoreUnreachable", {"backoffLimit": 0}, is_reported=False
    ),
    "Failed:ContainerConfigError": Seen(
        "python3", "", {"backoffLimit": 0, "execution": {"image": PAUSE_IMAGE}}, is_reported=False
    ),
}
#: States that have a test of their own, below or elsewhere.
ELSEWHERE = {
    **dict.fromkeys(("Evicted", "Deactivated", "QueueingOff", "QueueNeedsMemory"), "tests/e2e/kueue"),
    **dict.fromkeys(("WorkloadRefused", "KueueUnavailable", "PlacementConflict"), "test_queues.py"),
    "WaitingForOperator": "test_crd.py",
    "QuotaExceeded": "test_quotas.py",
    "Queued": "test_quotas.py",
    "ModelNotReady": "test_models.py",
    "QuotaTooSmall": "here",
    "LimitRangeViolated": "test_quotas.py",
    "CpuLimitRequired": "test_quotas.py",
    "NameTaken": "here",
    "BackingOff": "here",
    "Terminating": "here",
    "PreviousRunTerminating": "here",
    "ContainerConfigError": "here: the run fails with it",
    "SpecInvalid": "unit tests: CRD and operator of the same version agree",
    "InternalError": "unit tests: no resource is known that leads to it",
    "Pending": "passes within a second",
    "Starting": "passes within seconds",
    "Suspending": "passes within seconds",
    "Resumed": "passes within a second",
    "Retrying": "passes within a second",
}


def test_every_state_has_a_test() -> None:
    seen = {state for state in SEEN if not state.startswith(FAILED)} | ELSEWHERE.keys()
    assert seen == set(RunState)


@pytest.mark.parametrize("state", SEEN)
def test_the_first_column_shows_the_state(start: Start, state: str) -> None:
    if state == "SecretNotAllowed":
        kubectl("apply", "--filename=-", stdin=secret("unlabelled"))
    expected = SEEN[state]
    run = start(expected.script, **expected.spec).shows(state)
    eventually(lambda: expected.message in run.message, f"{expected.message!r} in the message {run.message!r}")
    if expected.is_reported:
        eventually(lambda: run.events().count(state) == 1, f"one Event {state}, not {run.events()}")


def test_a_wait_names_its_end_and_fails_the_run_without_an_attempt(
    operator: Operator, start: Start, kubeconfig: Path, tmp_path: Path
) -> None:
    operator.kill()
    hasty = Operator(kubeconfig, tmp_path / "log", UNSCHEDULABLE_SECONDS="15", IMAGE_SECONDS="15").start()
    try:
        for reason in ("Unschedulable", "ImageUnavailable"):
            run = start("", **SEEN[reason].spec).shows(reason)
            assert run.message.startswith("waits until 20")
            run.shows(f"Failed:{reason}")
            assert run.status["failedAttempts"] == 0
            assert run.state("Failed") == ("True", reason)
            assert kubectl("wait", "--for=condition=Finished", f"fx/{run.name}", "--timeout=1s").returncode == 0
            eventually(lambda run=run: run.pods() == [], "no pods left")  # type: ignore[misc]
    finally:
        hasty.kill()
        operator.start()


def test_a_run_for_which_a_quota_is_too_small_shows_it(start: Start) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    kubectl("apply", "--filename=-", stdin=quota)
    try:
        run = start("succeed 1").shows("QuotaTooSmall")
        eventually(lambda: run.events().count("QuotaTooSmall") == 1, "one Event")
    finally:
        kubectl("delete", "resourcequota", "none")
    run.shows("Succeeded")


def test_a_run_whose_child_has_a_name_that_is_taken_shows_it(start: Start) -> None:
    run = start("succeed 1", suspend=True).shows("Suspended")
    name = manifests.config_map_name(run.owner, 1)
    kubectl("create", "configmap", name)
    run.change(suspend=False).shows("NameTaken")
    kubectl("delete", "configmap", name)
    run.shows("Succeeded")


def test_a_resource_that_is_created_again_runs_its_own_job(start: Start) -> None:
    for count in (5, 6, 7):  # the kubelet caches what a pod mounts, by name
        run = start(f"succeed {count}").shows("Succeeded")
        assert run.status["outputs"][0]["recordCount"] == count
        kubectl("delete", "fx", run.name)
        again = apply(scripted(run.name, f"succeed {count}0")).shows("Succeeded")
        assert again.status["outputs"][0]["recordCount"] == 10 * count


def test_a_run_backs_off_and_shows_why(operator: Operator, start: Start, kubeconfig: Path, tmp_path: Path) -> None:
    operator.kill()
    slow = Operator(kubeconfig, tmp_path / "log", BACKOFF_SECONDS="300").start()
    try:
        run = start("fail-retryable StoreUnreachable|succeed 1").shows("BackingOff")
        assert "StoreUnreachable" in run.message
        run.change(retry=1)  # at once, rather than in minutes
        run.shows("Succeeded")
    finally:
        slow.kill()
        operator.start()


def test_a_driver_that_takes_long_to_stop_shows_as_terminating(start: Start) -> None:
    run = start("stubborn,forever|succeed 1").until("DriverReady", "True")
    kubectl("delete", "pod", f"{run.name}-1-driver", "--wait=false")
    run.shows("Terminating")
    kubectl("delete", "pod", f"{run.name}-1-driver", "--grace-period=0", "--force")
    run.shows("Succeeded")


def test_a_run_waits_for_the_children_of_a_deleted_one(start: Start) -> None:
    run = start("forever").until("DriverReady", "True")
    driver = f"{run.name}-1-driver"
    held = {"metadata": {"finalizers": ["featx.test/held"]}}
    kubectl("patch", "pod", driver, "--type=merge", "--patch", str(held).replace("'", '"'))
    kubectl("delete", "fx", run.name)
    again = apply(scripted(run.name, "succeed 1"))
    try:
        again.shows("PreviousRunTerminating")
    finally:
        kubectl("patch", "pod", driver, "--type=merge", "--patch", '{"metadata":{"finalizers":null}}')
    again.shows("Succeeded", patience=180)
    assert NAMESPACE in again.body["metadata"]["namespace"]
