"""Kueue's objects, the chart's rights, and one operator for all tests."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.e2e.kueue.queues import NODE_LABEL, TEAMS, delete, objects, queued
from tests.e2e.operator.access import create_namespace
from tests.e2e.operator.harness import ALLOWED, IMAGE, OTHER_NAMESPACE, Operator, Run, kubectl
from tests.e2e.polling import eventually

OPTIONS = (
    "--set=kueue.enabled=true",
    f"--set=kueue.requireQueueIn={{{OTHER_NAMESPACE}}}",
    "--show-only=templates/kueue-access.yaml",
    "--show-only=templates/queues.yaml",
)


@pytest.fixture(scope="session")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """A running operator that uses Kueue, with two teams."""
    kubectl("label", "nodes", "--all", "--overwrite", f"{NODE_LABEL}=yes")
    kubeconfig = create_namespace(tmp_path_factory.mktemp("kueue"), *OPTIONS)
    # Kueue's webhook may be ready after its Deployment is.
    for namespace in TEAMS.values():
        eventually(partial(applied, namespace), f"queues of {namespace}", 90)
    allowed = {**ALLOWED, "images": [IMAGE], "workloadPriorityClasses": ["low", "high"]}
    log = tmp_path_factory.mktemp("kueue") / "log"
    process = Operator(kubeconfig, log, allowed=allowed, KUEUE="true").start().until_active()
    yield process
    process.kill()
    sys.stdout.write(process.log)
    kubectl("delete", "namespace", *TEAMS.values(), "--wait=false")
    kubectl("delete", "clusterqueues,resourceflavors,workloadpriorityclasses", "--all", "--wait=false")
    kubectl("delete", "validatingadmissionpolicies,validatingadmissionpolicybindings", f"featx-queues.{TEAMS['red']}")
    kubectl("delete", "clusterrole,clusterrolebinding", f"featx-operator-kueue.{TEAMS['red']}")


def applied(namespace: str) -> bool:
    """Applies Kueue's objects of a namespace and of the cluster; returns whether all were accepted."""
    items = [item for item in objects() if item["metadata"].get("namespace", namespace) == namespace]
    listed = {"apiVersion": "v1", "kind": "List", "items": items}
    return kubectl("--namespace", namespace, "apply", "--filename=-", stdin=listed, check=False).returncode == 0


@pytest.fixture
def start(operator: Operator) -> Iterator[Callable[..., Run]]:
    """Applies queued runs, and deletes them afterwards."""
    runs: list[Run] = []

    def apply_queued(name: str, script: str, **options: Any) -> Run:
        runs.append(queued(name, script, **options))
        return runs[-1]

    yield apply_queued
    delete(*runs)
