"""What the holder of a driver's token can do to pods that exist: write its own progress, and delete its executors."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.polling import eventually
from tests.e2e.rights.cluster import (
    CLOUD,
    CLOUD_ACCOUNT,
    GUARDED,
    JSON,
    MERGE,
    OPEN,
    PROGRESS,
    RUN,
    Requester,
    bound_token,
    create,
    driver,
    executor,
    kubectl,
    resource,
    too_much,
    uid,
)

ME, OTHER = f"{RUN}-1-driver", "other-1-driver"
TOLERATED = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for key in ("not-ready", "unreachable")
]
EXECUTORS = {"metadata": {"annotations": {"featx.dev/executors": "900"}}}
CHANGES: list[tuple[str, str, dict[str, Any]]] = [
    ("progress of another run", OTHER, PROGRESS),
    ("number of its executors", ME, EXECUTORS),
    ("annotation", ME, {"metadata": {"annotations": {"a": "b"}}}),
    ("annotation of others removed", ME, {"metadata": {"annotations": {"kept.test/by": None}}}),
    ("label", ME, {"metadata": {"labels": {"featx.dev/name": "other"}}}),
    ("label removed", ME, {"metadata": {"labels": {"featx.dev/role": None}}}),
    ("owner removed", ME, {"metadata": {"ownerReferences": [{"$patch": "replace"}]}}),
    (
        "owner added",
        ME,
        {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "a"}]}},
    ),
    ("finalizer", ME, {"metadata": {"finalizers": ["evil.test/stay"]}}),
    ("image", ME, {"spec": {"containers": [{"name": "driver", "image": "evil.test/image"}]}}),
    ("deadline", ME, {"spec": {"activeDeadlineSeconds": 1}}),
    ("tolerations", ME, {"spec": {"tolerations": [{"operator": "Exists"}, *TOLERATED]}}),
    ("image of another", OTHER, {"spec": {"containers": [{"name": "driver", "image": "evil.test/image"}]}}),
]
POD = f"pods/{OTHER}"
CONTAINER = {"name": "spy", "image": "evil.test/image"}
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "evil"},
    "spec": {"template": {"spec": {"containers": [CONTAINER], "restartPolicy": "Never"}}},
}
INTO: dict[str, tuple[str, str, object]] = {
    "executes in a pod": ("POST", f"{POD}/exec?command=id&stdout=true", None),
    "executes in a pod by GET": ("GET", f"{POD}/exec?command=id&stdout=true", None),
    "attaches to a pod": ("POST", f"{POD}/attach?stdout=true", None),
    "forwards a port": ("POST", f"{POD}/portforward?ports=4040", None),
    "calls a pod through the API server": ("GET", f"{POD}/proxy/", None),
    "adds an ephemeral container": (
        *("PATCH", f"{POD}/ephemeralcontainers"),
        {"spec": {"ephemeralContainers": [CONTAINER]}},
    ),
    "evicts a pod": (
        *("POST", f"{POD}/eviction"),
        {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": OTHER}},
    ),
    "binds a pod without naming it": (
        *("POST", "bindings"),
        {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": OTHER}, "target": {"kind": "Node", "name": "a"}},
    ),
    "calls a Service through the API server": ("POST", "services/web/proxy/", None),
    "issues a token": (
        *("POST", "serviceaccounts/other/token"),
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    ),
    "creates pods by a Job": ("POST", "apis/batch/v1:jobs", JOB),
    "takes more rights": ("POST", "apis/rbac.authorization.k8s.io/v1:rolebindings", too_much(CLOUD, CLOUD, "other")),
    "deletes network policies": ("DELETE", "apis/networking.k8s.io/v1:networkpolicies/featx-driver", None),
    "deletes all ConfigMaps": ("DELETE", "configmaps", None),
    "changes a run": (
        *("PATCH", f"apis/featx.dev/v1alpha1:featureextractions/{RUN}"),
        {"spec": {"suspend": True}},
    ),
    "forges a status": ("PATCH", f"{POD}/status", {"status": {"message": "forged"}}),
    "binds a pod to a node": (
        *("POST", f"{POD}/binding"),
        {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": OTHER}, "target": {"kind": "Node", "name": "a"}},
    ),
}


@pytest.fixture(scope="module", autouse=True)
def drivers(cluster: None) -> None:
    """Drivers with an owner, and an annotation of somebody else."""
    for namespace in (GUARDED, OPEN):
        owner = {"apiVersion": "featx.dev/v1alpha1", "kind": "FeatureExtraction", "name": RUN, "controller": True}
        metadata = {
            "annotations": {"kept.test/by": "others"},
            "ownerReferences": [{**owner, "uid": uid("fx", namespace, RUN)}],
        }
        kubectl("patch", "pod", ME, f"--namespace={namespace}", f"--patch={json.dumps({'metadata': metadata})}")


@pytest.fixture(scope="module")
def powerful(cluster: None) -> Requester:
    """The driver of a run, whose account somebody has granted everything."""
    create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "of-others", "namespace": CLOUD}})
    create(
        too_much(CLOUD, CLOUD, CLOUD_ACCOUNT), driver(CLOUD, "cloud-1-driver", CLOUD_ACCOUNT), resource(CLOUD, "cloud")
    )
    return Requester(CLOUD, bound_token(CLOUD, "cloud-1-driver", CLOUD_ACCOUNT))


@pytest.fixture
def victims(cluster: None) -> list[str]:
    """Pods of the namespace that are not the thief's."""
    create(driver(GUARDED, "web"))
    return ["web", OTHER]


def test_a_driver_writes_its_progress(thief: Requester) -> None:
    written = thief.patch(ME, PROGRESS, dry_run=False)
    assert written.accepted, written.text


@pytest.mark.parametrize(("pod", "change"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES])
def test_a_driver_changes_nothing_else(pod: str, change: dict[str, Any], requester: Callable[[str], Requester]) -> None:
    refused = requester(GUARDED).patch(pod, change)
    assert "ValidatingAdmissionPolicy 'featx-changes" in refused.text
    without_policies = requester(OPEN).patch(pod, change)
    assert without_policies.accepted, without_policies.text


OF_ANYBODY: list[tuple[str, dict[str, Any]]] = [
    ("progress", PROGRESS),
    ("number of its executors", EXECUTORS),
    ("role removed", {"metadata": {"labels": {"featx.dev/role": None}}}),
    ("run", {"metadata": {"labels": {"featx.dev/name": "other"}}}),
    ("image", {"spec": {"containers": [{"name": "driver", "image": "evil.test/image"}]}}),
    ("deadline", {"spec": {"activeDeadlineSeconds": 1}}),
]


@pytest.mark.parametrize("change", [case[1] for case in OF_ANYBODY], ids=[case[0] for case in OF_ANYBODY])
def test_whoever_may_patch_pods_changes_nothing_in_those_of_runs(change: dict[str, Any], thief: Requester) -> None:
    def patched(namespace: str) -> subprocess.CompletedProcess[str]:
        where = (f"--namespace={namespace}", "--dry-run=server")
        return kubectl("patch", "pod", OTHER, *where, f"--patch={json.dumps(change)}", check=False)

    assert "ValidatingAdmissionPolicy 'featx-pods" in patched(GUARDED).stderr
    assert patched(OPEN).returncode == 0


def test_labels_annotations_and_owners_of_a_runs_pods_may_be_changed(thief: Requester) -> None:
    change = {"metadata": {"annotations": {"a": "b"}, "labels": {"team": "a"}, "ownerReferences": None}}
    kubectl("patch", "pod", OTHER, f"--namespace={GUARDED}", "--dry-run=server", f"--patch={json.dumps(change)}")


def test_a_driver_deletes_no_pod_but_its_executors(thief: Requester, victims: list[str]) -> None:
    for name in [*victims, ME]:
        refused = thief.delete(f"pods/{name}")
        assert "and no other pod" in refused.text


def test_a_driver_that_deletes_all_pods_deletes_its_executors_only(thief: Requester, victims: list[str]) -> None:
    """One request for the whole collection, as Spark sends; the API server asks about each pod."""
    created = thief.create(executor(GUARDED, 8), dry_run=False)
    assert created.accepted, created.text
    refused = thief.delete("pods")
    assert "and no other pod" in refused.text
    left = kubectl("get", "pods", f"--namespace={GUARDED}", "--output=name").stdout.split()
    assert {f"pod/{name}" for name in [*victims, ME]} <= set(left)
    assert thief.delete("pods?labelSelector=spark-role%3Dexecutor").accepted
    eventually(lambda: not kubectl("get", "pods", f"--namespace={GUARDED}", "-lspark-role=executor", "-oname").stdout)


def test_without_policies_a_driver_deletes_the_pods_of_others(requester: Callable[[str], Requester]) -> None:
    create(driver(OPEN, "victim"))
    assert requester(OPEN).delete("pods/victim").accepted


@pytest.mark.parametrize("name", INTO)
def test_an_account_of_runs_writes_nothing_but_pods_even_if_its_role_says_so(
    name: str, requester: Callable[[str], Requester], powerful: Requester
) -> None:
    method, path, body = INTO[name]
    kind = {"PATCH": MERGE if path.startswith("pods") else "application/merge-patch+json"}.get(method, JSON)
    assert "writes pods only" in powerful.send(method, path, body, kind=kind).text
    assert "is forbidden: User" in requester(GUARDED).send(method, path, body, kind=kind).text
