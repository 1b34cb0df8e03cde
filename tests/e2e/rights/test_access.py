"""The Roles of the chart at a real API server: every verb that operator and job have, and what the token can't read."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import pytest

from tests.e2e.rights.cluster import EMPTY, GUARDED, NAMESPACES, RELEASE, RUN, Requester, create, kubectl

JOB = f"system:serviceaccount:{GUARDED}:featx-job"
OPERATOR = f"system:serviceaccount:{RELEASE}:featx-operator"
VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
RIGHTS = {
    JOB: {"pods": "create delete deletecollection get list patch watch"},
    OPERATOR: {
        "featureextractions.featx.dev": "create delete get list watch",
        "featureextractions.featx.dev/status": "patch",
        "featureextractionschedules.featx.dev": "get list watch",
        "featureextractionschedules.featx.dev/status": "patch",
        "visionmodels.featx.dev": "get list watch",
        "visionmodels.featx.dev/status": "patch",
        "pods": "create delete get list patch watch",
        "configmaps": "create delete get list",
        "secrets": "create delete get",
        "events": "list",
        "events.events.k8s.io": "create",
        "limitranges": "list",
        "resourcequotas": "list",
    },
}
OTHER_RESOURCES = [
    *("bindings", "configmaps", "endpoints", "events", "persistentvolumeclaims", "secrets", "serviceaccounts"),
    *("serviceaccounts/token", "services", "pods/exec", "pods/attach", "pods/portforward", "pods/log", "pods/status"),
    *("pods/eviction", "pods/ephemeralcontainers", "deployments.apps", "jobs.batch", "leases.coordination.k8s.io"),
    *("roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io", "networkpolicies.networking.k8s.io"),
    *("featureextractions.featx.dev", "featureextractions.featx.dev/status"),
    *("featureextractionschedules.featx.dev", "featureextractionschedules.featx.dev/status"),
    *("visionmodels.featx.dev", "visionmodels.featx.dev/status"),
]
EVERYWHERE = [
    "nodes",
    "namespaces",
    "persistentvolumes",
    "priorityclasses.scheduling.k8s.io",
    "clustervisionmodels.featx.dev",
    "validatingadmissionpolicies.admissionregistration.k8s.io",
]


def granted(user: str, resource: str, namespace: str) -> set[str]:
    """The verbs that the API server lets a user have, of all that there are."""
    kind, _, subresource = resource.partition("/")
    name, _, group = kind.partition(".")
    attributes = {"namespace": namespace, "group": group, "resource": name, "subresource": subresource}
    reviews = [
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "resourceAttributes": {**attributes, "verb": verb}},
        }
        for verb in VERBS
    ]
    answers = kubectl(
        "create", "--filename=-", "--output=json", stdin={"apiVersion": "v1", "kind": "List", "items": reviews}
    ).stdout
    decoder, position, allowed = json.JSONDecoder(), 0, set()
    while position < len(answers.rstrip()):
        answer, position = decoder.raw_decode(answers, position)
        position += len(answers[position:]) - len(answers[position:].lstrip())
        for item in answer.get("items", [answer]):
            if item["status"]["allowed"]:
                allowed.add(item["spec"]["resourceAttributes"]["verb"])
    return allowed


@pytest.mark.parametrize("user", RIGHTS, ids=["job", "operator"])
def test_an_identity_has_the_verbs_that_it_needs_and_no_other(cluster: None, user: str) -> None:
    expected = {resource: set(verbs.split()) for resource, verbs in RIGHTS[user].items()}
    resources = {*OTHER_RESOURCES, *expected}
    assert {name: granted(user, name, GUARDED) for name in sorted(resources)} == {
        name: expected.get(name, set()) for name in sorted(resources)
    }


@pytest.mark.parametrize("user", RIGHTS, ids=["job", "operator"])
def test_an_identity_has_no_rights_elsewhere(cluster: None, user: str) -> None:
    for resource in RIGHTS[user]:
        assert granted(user, resource, "default") == set()
        assert granted(user, resource, "") == set()
    for resource in EVERYWHERE:
        assert granted(user, resource, "") == set()


@pytest.mark.parametrize("kind", ["secrets", "configmaps", "persistentvolumeclaims", "events", "services"])
def test_a_driver_reads_nothing_but_pods(kind: str, thief: Requester) -> None:
    for namespace in (*NAMESPACES, "kube-system"):
        for path in (kind, f"{kind}/store"):
            assert thief.send("GET", path, namespace=namespace).code == HTTPStatus.FORBIDDEN
    assert thief.send("DELETE", kind).code == HTTPStatus.FORBIDDEN


def test_a_driver_issues_no_token(thief: Requester) -> None:
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    assert thief.send("POST", "serviceaccounts/featx-job/token", request).code == HTTPStatus.FORBIDDEN


def test_the_account_of_runs_mounts_no_token_by_itself(cluster: None) -> None:
    account: dict[str, Any] = json.loads(
        kubectl("get", "serviceaccount", "featx-job", f"--namespace={GUARDED}", "--output=json").stdout
    )
    assert account["automountServiceAccountToken"] is False
    pod = json.loads(kubectl("get", "pod", f"{RUN}-1-driver", f"--namespace={GUARDED}", "--output=json").stdout)
    assert not any("projected" in volume for volume in pod["spec"].get("volumes", []))


def test_the_api_server_accepts_the_network_policies(cluster: None) -> None:
    names = kubectl("get", "networkpolicies", f"--namespace={GUARDED}", "--output=name").stdout.split()
    assert names == [f"networkpolicy.networking.k8s.io/featx-{role}" for role in ("driver", "executor", "model")]


@pytest.mark.parametrize("namespace", [GUARDED, EMPTY, RELEASE])
def test_pods_of_others_are_accepted_whether_or_not_their_namespace_has_runs(cluster: None, namespace: str) -> None:
    container = {"name": "one", "image": "localhost/nothing:1"}
    metadata = {"name": "of-others", "namespace": namespace}
    create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": {"nodeSelector": {"featx.dev/rights": "nowhere"}, "containers": [container]},
        }
    )
