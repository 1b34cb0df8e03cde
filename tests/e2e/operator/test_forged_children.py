"""A tenant who may create pods, ConfigMaps and Secrets makes them as Featx would: nothing is believed for its looks."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from featx_operator import manifests

from tests.e2e.operator.harness import IMAGE, NAMESPACE, OTHER_NAMESPACE, Operator, Run, apply, kubectl, scripted
from tests.e2e.polling import eventually

Start = Callable[..., Run]
HELD = "featx.dev/held-by-a-test"
ATTACKER = {
    "result": "Succeeded",
    "outputs": [
        {"uri": "s3://attacker/table", "kind": "features", "format": "delta", "recordCount": 666, "bytes": 1},
    ],
}
SAYS_SUCCESS = f"open('/dev/termination-log', 'w').write({json.dumps(ATTACKER)!r})"
TERMINAL_ESCAPE = "\x1b]0;owned\x07\x1b[2J"


def uid_of(kind: str, name: str, namespace: str = NAMESPACE) -> str:
    arguments = ("get", kind, name, "--namespace", namespace, "--ignore-not-found", "--output=jsonpath={.metadata.uid}")
    return kubectl(*arguments).stdout


def labels(run: Run, role: str, attempt: str = "1") -> dict[str, str]:
    return {
        "app.kubernetes.io/managed-by": "featx",
        "featx.dev/name": run.name,
        "featx.dev/uid": str(run.body["metadata"]["uid"]),
        "featx.dev/attempt": attempt,
        "featx.dev/role": role,
    }


def owner(run: Run) -> dict[str, Any]:
    body = run.body
    reference = {key: body[key] for key in ("apiVersion", "kind")}
    return {**reference, "name": run.name, "uid": body["metadata"]["uid"], "controller": True}


def forged_driver(run: Run, program: str = SAYS_SUCCESS, **metadata: Any) -> dict[str, Any]:
    """A pod with the name and labels of a run's first driver, and a program of the attacker."""
    container = {
        "name": "driver",
        "image": IMAGE,
        "command": ["python3", "-c", program],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{run.name}-1-driver", "labels": labels(run, "driver"), **metadata},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
        },
    }


def create(manifest: dict[str, Any], namespace: str = NAMESPACE) -> str:
    """Creates an object; returns its uid."""
    kubectl("create", "--namespace", namespace, "--filename=-", stdin=manifest)
    return uid_of(manifest["kind"], manifest["metadata"]["name"], namespace)


def until_ended(name: str, namespace: str = NAMESPACE) -> None:
    arguments = ("get", "pod", name, "--namespace", namespace, "--output=jsonpath={.status.phase}")
    eventually(lambda: kubectl(*arguments).stdout == "Succeeded", f"{name} to end")


def driver_uid(run: Run) -> str:
    return str(run.status["driver"]["podUid"])


def assert_own_result(run: Run, count: int) -> None:
    """The run has succeeded with what its own driver reported."""
    run.until("Succeeded", "True")
    (table,) = run.status["outputs"]
    assert (table["uri"], table["recordCount"]) == ("s3://features/table", count)


@pytest.mark.parametrize("owned", [False, True], ids=["labels", "labels and owner"])
def test_a_pod_in_another_served_namespace_changes_nothing(start: Start, owned: bool) -> None:
    run = start("await,succeed 3").until("DriverReady", "True")
    real = driver_uid(run)
    # The garbage collector deletes pods whose owner is in another namespace: a finalizer keeps it for a while.
    looks: dict[str, Any] = {"ownerReferences": [owner(run)], "finalizers": [HELD]} if owned else {}
    name = f"{run.name}-1-driver"
    create(forged_driver(run, **looks), OTHER_NAMESPACE)
    try:
        if not owned:  # the garbage collector may be faster than the kubelet
            until_ended(name, OTHER_NAMESPACE)
        run.proceed()
        assert_own_result(run, 3)
        assert driver_uid(run) == uid_of("pod", name) == real
        assert (run.status["attempt"], run.status["failedAttempts"]) == (1, 0)
        assert uid_of("pod", name, OTHER_NAMESPACE) != "" or owned
    finally:
        patch = '{"metadata": {"finalizers": null}}'
        where = ("--namespace", OTHER_NAMESPACE)
        kubectl("patch", "pod", name, *where, "--type=merge", "--patch", patch, check=False)
        kubectl("delete", "pod", name, *where, "--ignore-not-found", "--wait=false")


@pytest.mark.parametrize("with_labels", [True, False], ids=["with labels", "without labels"])
def test_a_driver_made_beforehand_with_a_success_of_its_own_is_replaced(start: Start, with_labels: bool) -> None:
    run = start("succeed 4", suspend=True).until("Suspended", "True")
    looks: dict[str, Any] = {"ownerReferences": [owner(run)], **({} if with_labels else {"labels": {}})}
    forged = create(forged_driver(run, **looks))
    # One with the run's labels is stopped, like every pod of a suspended run.
    phase = ("get", "pod", f"{run.name}-1-driver", "--output=jsonpath={.status.phase}")
    eventually(
        lambda: kubectl(*phase, check=False).stdout in ("Succeeded", ""), "the forged driver to end or to be gone"
    )
    run.change(suspend=False)
    assert_own_result(run, 4)
    assert driver_uid(run) == uid_of("pod", f"{run.name}-1-driver") != forged
    assert run.status["failedAttempts"] == 0


def test_a_driver_made_in_place_of_one_that_was_deleted_does_not_count(start: Start) -> None:
    run = start("forever|succeed 5").until("DriverReady", "True")
    name = f"{run.name}-1-driver"
    kubectl("delete", "pod", name, "--grace-period=0", "--force")
    eventually(lambda: uid_of("pod", name) == "", "the real driver to be gone")
    create(forged_driver(run, ownerReferences=[owner(run)]))
    assert_own_result(run, 5)
    assert (run.status["attempt"], run.status["failedAttempts"], run.status["disruptions"]) == (2, 0, 1)


def test_a_foreign_driver_with_labels_but_without_owner_is_neither_believed_nor_deleted(start: Start) -> None:
    run = start("succeed 6", suspend=True).until("Suspended", "True")
    forged = create(forged_driver(run))
    until_ended(f"{run.name}-1-driver")
    run.change(suspend=False).until("Stalled", "True", "NameTaken")
    assert uid_of("pod", f"{run.name}-1-driver") == forged
    kubectl("delete", "pod", f"{run.name}-1-driver")
    assert_own_result(run, 6)


def test_a_config_map_and_a_key_made_beforehand_are_replaced(start: Start) -> None:
    run = start("succeed 7", suspend=True).until("Suspended", "True")
    job = {
        "name": run.name,
        "namespace": NAMESPACE,
        "uid": run.body["metadata"]["uid"],
        "attempt": 1,
        "spec": {"extractor": {"layer": "succeed 666"}, "output": {"uri": "s3://attacker/table"}},
    }
    common: dict[str, Any] = {"apiVersion": "v1", "immutable": True}
    looks = {"labels": labels(run, "job"), "ownerReferences": [owner(run)]}
    data = {"job.json": json.dumps(job), "executor-pod.yaml": "{}"}
    key_name, config_map_name = (name for _, name in manifests.files(run.owner, 1))
    metadata = {"name": config_map_name, **looks}
    config_map = create({**common, "kind": "ConfigMap", "metadata": metadata, "data": data})
    metadata = {"name": key_name, **looks}
    key = create({**common, "kind": "Secret", "metadata": metadata, "stringData": {"secret": "known"}})
    run.change(suspend=False)
    assert_own_result(run, 7)
    assert uid_of("configmap", config_map_name) not in ("", config_map)
    assert uid_of("secret", key_name) not in ("", key)


def test_executors_that_are_not_the_drivers_do_not_count(start: Start) -> None:
    run = start("executors 1,forever").until("ExecutorsReady", "True")
    forged = forged_driver(run, "import time; time.sleep(3600)", ownerReferences=[owner(run)])
    forged["metadata"] |= {"name": f"{run.name}-1-exec-9", "labels": labels(run, "executor")}
    forged["spec"]["containers"][0]["name"] = "executor"
    create(forged)
    kubectl("wait", "--for=condition=Ready", f"pod/{run.name}-1-exec-9", "--timeout=60s")
    assert run.status["executors"]["summary"] == "1/1"


def test_labels_that_can_not_be_parsed_stop_nothing(operator: Operator, start: Start) -> None:
    run = start("await,succeed 8").until("DriverReady", "True")
    odd: list[dict[str, str]] = [{"featx.dev/attempt": text} for text in ("first", "", "9" * 63, "1.5", "0x1")]
    odd += [{"featx.dev/role": ""}, {"featx.dev/name": ""}, {"featx.dev/uid": "u"}, {"featx.dev/name": "Not.a_Name"}]
    for number, changes in enumerate(odd):
        manifest = forged_driver(run, "pass", ownerReferences=[owner(run)])
        manifest["metadata"] |= {"name": f"{run.name}-odd-{number}", "labels": {**labels(run, "driver"), **changes}}
        create(manifest)
    start("succeed 1").until("Succeeded", "True", patience=30)
    run.proceed()
    assert_own_result(run, 8)
    assert "Traceback" not in operator.log


POISONED_PROGRESS = [
    '{"imagesDone": NaN}',
    '{"imagesPerSecond": Infinity}',
    '{"imagesDone": -1}',
    '{"imagesDone": 99999999999999999999}',
    json.dumps({"imagesDone": 1, "imagesTotal": 2, "waiting": "x" * 10_000}),
    json.dumps({"note": "x" * 100_000}),
    "[" * 5000,
    TERMINAL_ESCAPE,
]


def test_poisoned_progress_is_ignored(start: Start) -> None:
    runs = [start("progress 1/2,await,sleep 2,succeed 9") for _ in POISONED_PROGRESS]
    for run, progress in zip(runs, POISONED_PROGRESS, strict=True):
        run.until("DriverReady", "True")
        kubectl("annotate", "pod", f"{run.name}-1-driver", "--overwrite", f"featx.dev/progress={progress}")
        run.proceed()
    for run in runs:
        assert_own_result(run, 9)
        assert "\x1b" not in kubectl("get", "fx", run.name, "--output=jsonpath={.status}").stdout


def test_escapes_in_progress_reach_no_terminal(start: Start) -> None:
    run = start("await,succeed 9").until("DriverReady", "True")
    progress = json.dumps({"imagesDone": 1, "imagesTotal": 2, "waiting": f"{TERMINAL_ESCAPE}\u202estore"})
    kubectl("annotate", "pod", f"{run.name}-1-driver", "--overwrite", f"featx.dev/progress={progress}")
    waiting = eventually(lambda: run.status.get("progress", {}).get("waiting"), "the progress")
    assert waiting.isprintable() and waiting.endswith("store")
    assert_own_result(run.proceed(), 9)


@pytest.mark.parametrize(
    "report",
    [
        b"\xff\xfe\x00",
        b"[" * 90,
        b'{"result":"Succeeded","outputs":NaN}',
        b'{"result":"Succeeded","progress":{"imagesDone":-1}}',
        b'{"result":"Failed","failure":{"class":" ","message":"\\u001b[2J"}}',
        b'{"result":"Failed","failure":{"class":"\\ud800","message":""}}',
    ],
    ids=range(6),
)
def test_a_poisoned_report_ends_the_run_as_failed(start: Start, report: bytes) -> None:
    script = f"report {base64.b64encode(report).decode()}"
    run = start(script, backoffLimit=0).until("Succeeded", "False")
    assert run.status["failure"]["class"] in ("DriverExited", "UnknownFailure", "UnknownPermanentFailure")
    assert run.status["failure"]["message"].isprintable()


def test_marks_of_kopf_that_somebody_else_wrote_stop_nothing(start: Start) -> None:
    resource = scripted("marked", "succeed 1")
    resource["metadata"]["annotations"] = {"kopf.zalando.org/last-handled-configuration": "{"}
    resource["metadata"]["finalizers"] = ["kopf.zalando.org/KopfFinalizerMarker"]
    run = apply(resource)
    try:
        run.until("Succeeded", "True", patience=30)
    finally:
        patch = '{"metadata": {"finalizers": null}}'
        kubectl("patch", "fx", run.name, "--type=merge", "--patch", patch)
        kubectl("delete", "fx", run.name, "--wait=false")
    start("succeed 1").until("Succeeded", "True", patience=30)
