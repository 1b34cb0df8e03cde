"""What the operator can do to pods that exist: say how many executors a driver has, and delete them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.rights.cluster import GUARDED, RELEASE, RUN, Requester, create, driver, kubectl

DRIVER = f"{RUN}-1-driver"
EXECUTORS = {"metadata": {"annotations": {"featx.dev/executors": "3"}}}
REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "image": (DRIVER, {"spec": {"containers": [{"name": "driver", "image": "evil.test/image"}]}}),
    "label": (DRIVER, {"metadata": {"labels": {"a": "b"}}}),
    "progress": (DRIVER, {"metadata": {"annotations": {"featx.dev/progress": "forged"}}}),
    "owners": (
        DRIVER,
        {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "a"}]}},
    ),
    "finalizer": (DRIVER, {"metadata": {"finalizers": ["evil.test/stay"]}}),
    "more than the number": (DRIVER, {"metadata": {"annotations": {"featx.dev/executors": "3", "a": "b"}}}),
    "a pod of others": ("web", EXECUTORS),
}


@pytest.fixture(scope="module")
def operator(requester: Callable[[str], Requester]) -> Requester:
    """The holder of the operator's token."""
    web = driver(GUARDED, "web")
    web["metadata"]["labels"] = {"app": "web"}
    kubectl("delete", "pod", "web", f"--namespace={GUARDED}", "--ignore-not-found", "--grace-period=0", "--force")
    create(web)
    return Requester(GUARDED, kubectl("create", "token", "featx-operator", f"--namespace={RELEASE}").stdout.strip())


def test_the_operator_says_how_many_executors_a_driver_has(operator: Requester) -> None:
    changed = operator.patch(DRIVER, EXECUTORS)
    assert changed.accepted, changed.text


@pytest.mark.parametrize("name", REFUSED)
def test_the_operator_changes_nothing_else_in_a_pod(name: str, operator: Requester) -> None:
    pod, change = REFUSED[name]
    # The API server names one policy, and nobody may change what featx-pods protects.
    assert re.search("ValidatingAdmissionPolicy 'featx-(operator|pods)", operator.patch(pod, change).text)


def test_the_operator_does_not_change_what_a_pod_reports(operator: Requester) -> None:
    for path in ("status", "ephemeralcontainers", "resize"):
        refused = operator.send("PATCH", f"pods/{DRIVER}/{path}", {}, kind="application/merge-patch+json")
        assert "is forbidden: User" in refused.text
