"""The namespaces with the chart's permissions, and one operator process per module."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.operator.access import create_namespace
from tests.e2e.operator.harness import NAMESPACE, OTHER_NAMESPACE, Operator, Run, apply, kubectl, scripted


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The namespaces, and a kubeconfig of the operator's service account."""
    yield create_namespace(tmp_path_factory.mktemp("operator"))
    kubectl("delete", "namespace", NAMESPACE, OTHER_NAMESPACE, "--wait=false")


@pytest.fixture(scope="module")
def operator(kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """A running operator; tests that kill it start it again."""
    process = Operator(kubeconfig, tmp_path_factory.mktemp("operator") / "log").start()
    yield process
    process.kill()
    sys.stdout.write(process.log)  # pytest shows it with a failure


@pytest.fixture
def start(operator: Operator, request: pytest.FixtureRequest) -> Iterator[Callable[..., Run]]:
    """Applies scripted resources, named after the test, and deletes them afterwards."""
    name = request.node.originalname.removeprefix("test_").replace("_", "-")[:40].strip("-")
    runs: list[Run] = []

    def apply_script(script: str, **spec: Any) -> Run:
        runs.append(apply(scripted(f"{name}-{len(runs)}", script, **spec)))
        return runs[-1]

    yield apply_script
    for run in runs:
        kubectl("delete", "fx", run.name, "--ignore-not-found", "--wait=false")
