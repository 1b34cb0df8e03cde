"""The release of the tests: helm, and what three teams get by an entry each."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from featx_api import GROUP, VERSION

from tests.e2e.operator.harness import IMAGE
from tests.e2e.operator.image import OPERATOR_IMAGE

ROOT = Path(__file__).resolve().parents[3]
NAMESPACE = "featx-charts"
RED, GREEN, BLUE = TEAMS = tuple(f"featx-charts-{colour}" for colour in ("red", "green", "blue"))
SHA256 = "2a56a11a57a4a295956b0660b4a3d76bbdca2206c4961cea8efe7d95c7cb2f2d"
MODEL = {"prototxt": "s3://models/net.prototxt", "weights": "s3://models/net.caffemodel", "sha256": SHA256}
MEMORY = "512Mi"  # of a team's quota


def tenant(team: str) -> dict[str, Any]:
    """The entry of a team: members by certificate, a quota, and a store of its own."""
    return {
        "labels": {"example.com/team": team},
        "quota": {"requests.memory": MEMORY, "pods": 6},
        "limits": {"max": {"memory": "2Gi"}},
        "view": {"users": [f"{team}-viewer"]},
        "edit": {"groups": [f"{team}-editors"]},
        "admin": {"users": [f"{team}-admin"]},
        "allowed": {"stores": ["s3://models/*", f"s3://{team}/*"]},
    }


VALUES: dict[str, Any] = {
    "image": OPERATOR_IMAGE,
    "jobImage": IMAGE,
    "namespaces": [],
    "tenants": {team: tenant(team) for team in TEAMS},
    "settings": {"FEATX_PROGRESS_SECONDS": "1", "FEATX_BACKOFF_SECONDS": "1"},
}


def kubectl(*arguments: str, stdin: object = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs kubectl; an object as stdin is sent as JSON, a string unchanged."""
    text = stdin if isinstance(stdin, str) or stdin is None else json.dumps(stdin)
    return _run(["kubectl", *arguments], text, check)


def helm(*arguments: str, values: dict[str, Any] | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs helm in the release's namespace."""
    files = ["--values=-"] if values is not None else []
    return _run(["helm", f"--namespace={NAMESPACE}", *arguments, *files], json.dumps(values or {}), check)


def install(values: dict[str, Any], wait: bool = True) -> None:
    """Installs or upgrades the release, and waits until its pods run."""
    waiting = ["--wait", "--timeout=5m"] if wait else []
    helm("upgrade", "--install", "featx", str(ROOT / "charts/featx"), "--create-namespace", *waiting, values=values)


def run_of(team: str, name: str, script: str, **spec: Any) -> dict[str, Any]:
    """A resource of a team, whose driver follows a script."""
    execution = {"driverMemory": "64Mi", "memory": "128Mi"} | spec.pop("execution", {})
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "FeatureExtraction",
        "metadata": {"name": name, "namespace": team},
        "spec": {
            "source": {"s3": {"bucket": team}},
            "extractor": {"model": MODEL, "layer": script},
            "output": {"uri": f"s3://{team}/table"},
            "execution": execution,
            **spec,
        },
    }


def body(team: str, name: str) -> dict[str, Any]:
    """A resource as the API server has it."""
    return dict(json.loads(kubectl("get", "fx", name, f"--namespace={team}", "--output=json").stdout))


def condition(team: str, name: str, kind: str) -> dict[str, str]:
    """A condition of a resource, or nothing before it is written."""
    conditions = body(team, name).get("status", {}).get("conditions", [])
    return next((item for item in conditions if item["type"] == kind), {})


def _run(command: list[str], text: str | None, check: bool) -> subprocess.CompletedProcess[str]:
    outcome = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    assert outcome.returncode == 0 or not check, f"{' '.join(command)}: {outcome.stderr}"
    return outcome
