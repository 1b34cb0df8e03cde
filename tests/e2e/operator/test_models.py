"""Models as their users see them; the pods that check them do what the model's layer says."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.operator.access import permissions
from tests.e2e.operator.harness import IMAGE, NAMESPACE, SHA256, Operator, Run, kubectl
from tests.e2e.polling import eventually

CLUSTER = [
    *("--set", "clusterModels.enabled=true", "--set", f"clusterModels.namespace={NAMESPACE}"),
    "--show-only=templates/model-access.yaml",
]

SMALL = json.dumps({"modelChecks": {"memory": "64Mi"}})


@pytest.fixture(scope="module")
def operator(kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """An operator that also serves models of the cluster, and checks them by the scripted image."""
    rights = permissions(*CLUSTER)
    subprocess.run(["kubectl", "apply", "--filename=-"], input=rights, text=True, check=True)
    log = tmp_path_factory.mktemp("operator") / "log"
    process = Operator(kubeconfig, log, JOB_IMAGE=IMAGE, CLUSTER_MODELS=NAMESPACE, ALLOWED=SMALL).start()
    yield process
    process.kill()
    sys.stdout.write(process.log)
    kubectl("delete", "clusterrole,clusterrolebinding", f"featx-operator-models.{NAMESPACE}")


class Model:
    """One model, as the API server has it."""

    def __init__(self, name: str, kind: str = "VisionModel") -> None:
        self.name = name
        self.kind = kind

    @property
    def status(self) -> dict[str, Any]:
        body = json.loads(kubectl("get", self.kind, self.name, "--output=json").stdout)
        return dict(body.get("status") or {})

    def ready(self) -> tuple[str, str]:
        """Status and reason of the condition Ready."""
        found = [item for item in self.status.get("conditions", []) if item["type"] == "Ready"]
        return (found[0]["status"], found[0]["reason"]) if found else ("", "")

    def until(self, status: str, reason: str) -> Model:
        eventually(lambda: self.ready() == (status, reason), f"{self.name} is {status} {reason}")
        return self

    def pods(self) -> list[str]:
        selector = f"--selector=featx.dev/name={self.name},featx.dev/role=model"
        return kubectl("get", "pods", selector, "--output=name").stdout.split()


@pytest.fixture
def model(operator: Operator, request: pytest.FixtureRequest) -> Iterator[Callable[..., Model]]:
    """Applies models, named after the test, and deletes them afterwards."""
    name = request.node.originalname.removeprefix("test_").replace("_", "-")[:40].strip("-")
    models: list[Model] = []

    def apply(script: str, kind: str = "VisionModel", **spec: Any) -> Model:
        metadata = {"name": name} | ({"namespace": NAMESPACE} if kind == "VisionModel" else {})
        weights = {"onnx": "s3://models/net.onnx", "sha256": SHA256}
        body = {"apiVersion": "featx.dev/v1alpha1", "kind": kind, "metadata": metadata}
        kubectl("apply", "--filename=-", stdin={**body, "spec": {"model": weights, "layer": script, **spec}})
        models.append(Model(name, kind))
        return models[-1]

    yield apply
    for one in models:
        kubectl("delete", one.kind, one.name, "--ignore-not-found", "--wait=false")


def test_a_run_waits_for_its_model_and_starts_within_seconds(
    start: Callable[..., Run], model: Callable[..., Model]
) -> None:
    name = "a-run-waits-for-its-model-and-starts-wit"
    run = start("", extractor={"modelRef": {"name": name}, "layer": "succeed 3"}).shows("ModelNotReady")
    assert "not found" in run.message
    waiting = model("forever")
    assert waiting.name == name
    waiting.until("False", "Checking")
    model("ready")
    waiting.until("True", "Checked")
    run.until("Succeeded", "True")
    ready = next(item for item in waiting.status["conditions"] if item["type"] == "Ready")["lastTransitionTime"]
    started = datetime.fromisoformat(run.status["startTime"]) - datetime.fromisoformat(ready)
    assert started < timedelta(seconds=5)
    assert run.status["models"][0]["net"]["layer"] == "ready"
    assert run.events().count("ModelNotReady") == 1
    assert waiting.status["graph"]["parameters"] == 1200
    eventually(lambda: waiting.pods() == [], "no pod is left")


def test_a_model_that_changes_is_reported_by_a_run_that_keeps_to_it(
    start: Callable[..., Run], model: Callable[..., Model]
) -> None:
    named = model("ready")
    run = start("", extractor={"modelRef": {"name": named.name}, "layer": "forever"})
    run.until("DriverReady", "True")
    model("ready", input={"scale": 2})
    run.until("Accepted", "True", "SpecChangeIgnored")
    assert run.state("Succeeded") == ("Unknown", "Running")


def test_a_hostile_report_is_none(model: Callable[..., Model]) -> None:
    text = '{"graph": {"layers": -1, "parameters": 1e400, "name": "\x1b[2J"}}' + "x" * 9000
    hostile = model(f"report {base64.b64encode(text.encode()).decode()[:88]}")
    hostile.until("False", "CheckFailed")
    eventually(lambda: hostile.status["check"].get("result") == "Failed", "it is given up")
    assert all(item["message"].isprintable() for item in hostile.status["conditions"])
    eventually(lambda: hostile.pods() == [], "no pod is left")


def test_a_model_of_the_cluster_serves_a_run(start: Callable[..., Run], model: Callable[..., Model]) -> None:
    named = model("ready", kind="ClusterVisionModel").until("True", "Checked")
    ref = {"kind": "ClusterVisionModel", "name": named.name}
    start("", extractor={"modelRef": ref, "layer": "succeed 1"}).until("Succeeded", "True")


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"model": {"onnx": "s3://models/net.onnx"}}, "sha256 is missing"),
        ({"model": {"sha256": SHA256}}, "either onnx, or both"),
        ({"licence": "no \x1b"}, "licence"),
    ],
)
def test_the_api_server_refuses_it(kubeconfig: object, spec: dict[str, Any], text: str) -> None:
    model = {"onnx": "s3://models/net.onnx", "sha256": SHA256}
    body = {"apiVersion": "featx.dev/v1alpha1", "kind": "VisionModel", "metadata": {"name": "x"}}
    outcome = kubectl("apply", "--filename=-", stdin={**body, "spec": {"model": model, **spec}}, check=False)
    assert outcome.returncode != 0 and text in outcome.stderr
