"""The status reports why a run does not start, until the cause is gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e.operator.harness import NAMESPACE, QUICK, Operator, Run, apply, kubectl, scripted, secret
from tests.e2e.polling import eventually

Start = Callable[..., Run]


USABLE = {"featx.dev/store": "true"}
GRACE_SECONDS = float(QUICK["SECRET_GRACE_SECONDS"])
LOOK_SECONDS = 6  # a pending driver is looked at every 5 s


def source(name: str) -> dict[str, object]:
    return {"s3": {"bucket": "images", "secretRef": {"name": name}}}


def test_a_missing_secret_fails_the_run_and_is_named(start: Start) -> None:
    run = start("succeed 1", source=source("no-such-store")).until("DriverReady", "False", "SecretNotFound")
    assert "no-such-store" in run.condition("DriverReady")["message"]
    run.until("Succeeded", "False", "SecretNotFound")
    assert "no-such-store" in run.status["failure"]["message"]
    eventually(lambda: run.drivers() == [], "the driver to be deleted")


@pytest.mark.parametrize("name", ["labelled-store", "of-nobody"])
def test_an_event_that_somebody_else_has_written_ends_no_run(start: Start, name: str) -> None:
    kubectl("apply", "--filename=-", stdin=secret("labelled-store", **USABLE))
    image = {"image": "localhost/featx/no-such-image:1"}
    run = start("succeed 1", source=source("labelled-store"), execution=image)
    run.until("DriverReady", "False", "ImageUnavailable")
    kubectl("create", "--filename=-", stdin=mount_failure(f"{run.name}-1-driver", f'secret "{name}" not found'))
    time.sleep(GRACE_SECONDS + LOOK_SECONDS)
    assert run.state("DriverReady") == ("False", "ImageUnavailable")
    assert run.state("Succeeded")[0] == "Unknown"


def mount_failure(pod: str, message: str) -> dict[str, object]:
    """An Event about a pod in the kubelet's name."""
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    uid = kubectl("get", "pod", pod, "--output=jsonpath={.metadata.uid}").stdout
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{pod}.", "namespace": NAMESPACE},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": NAMESPACE, "name": pod, "uid": uid},
        "type": "Warning",
        "reason": "FailedMount",
        "message": f'MountVolume.SetUp failed for volume "secret-0" : {message}',
        "source": {"component": "kubelet"},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }


def test_a_secret_created_shortly_after_the_run_is_found(
    operator: Operator, start: Start, kubeconfig: Path, tmp_path: Path
) -> None:
    operator.kill()
    patient = Operator(kubeconfig, tmp_path / "log", SECRET_GRACE_SECONDS="60").start()
    try:
        run = start("succeed 1", source=source("late-store")).until("DriverReady", "False", "SecretNotFound")
        kubectl("apply", "--filename=-", stdin=secret("late-store", **USABLE))
        run.until("Succeeded", "True")
    finally:
        patient.kill()
        operator.start()


def test_a_secret_that_its_owner_has_not_labelled_is_in_no_pod(start: Start) -> None:
    kubectl("apply", "--filename=-", stdin=secret("of-a-colleague"))
    run = start("succeed 1", source=source("of-a-colleague")).until("Stalled", "True", "SecretNotAllowed")
    command = f"kubectl label secret of-a-colleague featx.dev/store=true --namespace {NAMESPACE}"
    assert run.condition("Stalled")["message"].endswith(command)
    assert run.pods() == []
    kubectl(*command.split()[1:])
    run.until("Succeeded", "True")


@pytest.mark.parametrize(
    ("execution", "reason", "message"),
    [
        ({"nodePool": "no-such-pool"}, "Unschedulable", "0/1 nodes"),
        ({"image": "localhost/featx/no-such-image:1"}, "ImageUnavailable", "no-such-image"),
        ({"serviceAccountName": "nobody"}, "DriverRefused", "nobody"),
    ],
)
def test_the_reason_why_a_driver_does_not_start_is_reported(
    start: Start, execution: dict[str, str], reason: str, message: str
) -> None:
    run = start("succeed 1", execution=execution).until("DriverReady", "False", reason)
    assert message in run.condition("DriverReady")["message"]
    assert run.state("Succeeded")[0] == "Unknown"


def test_a_missing_claim_is_named(start: Start) -> None:
    run = start("succeed 1", source={"claim": {"name": "no-such-claim"}}).until("DriverReady", "False", "ClaimNotFound")
    assert "no-such-claim" in run.condition("DriverReady")["message"]


def test_a_run_over_quota_starts_once_there_is_room(start: Start) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"}, "spec": {"hard": {"pods": "0"}}}
    kubectl("apply", "--filename=-", stdin=quota)
    try:
        run = start("succeed 1").until("QuotaReserved", "False", "QuotaTooSmall")
        assert run.state("Succeeded")[0] == "Unknown"
        assert "0 in ResourceQuota full" in run.condition("QuotaReserved")["message"]
    finally:
        kubectl("delete", "resourcequota", "full")
    run.until("Succeeded", "True")
    assert run.state("QuotaReserved") == ("True", "Reserved")
    assert run.status["failedAttempts"] == 0


def test_a_foreign_pod_with_the_name_of_a_driver_is_not_touched(start: Start) -> None:
    foreign = scripted("x", "")  # for its image
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "foreign-1-driver"},
        "spec": {
            "nodeSelector": {"no-such": "node"},
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "main",
                    "image": foreign["spec"]["execution"]["image"],
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }
    kubectl("apply", "--filename=-", stdin=pod)
    uid = kubectl("get", "pod", "foreign-1-driver", "--output=jsonpath={.metadata.uid}").stdout
    run = apply(scripted("foreign", "succeed 1"))
    try:
        run.until("DriverReady", "False", "NameTaken")
        assert run.state("Stalled") == ("True", "NameTaken")
        assert kubectl("get", "pod", "foreign-1-driver", "--output=jsonpath={.metadata.uid}").stdout == uid
        kubectl("delete", "pod", "foreign-1-driver")
        run.until("Succeeded", "True")
    finally:
        kubectl("delete", "fx", run.name, "--wait=false")
