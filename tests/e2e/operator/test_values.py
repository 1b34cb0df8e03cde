"""The chart's values for what runs may choose, as helm renders them and the operator reads them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import yaml
from featx_operator.allowed import Allowed, Tenants

CHART = Path(__file__).resolve().parents[3] / "charts/featx"


def template(values: Mapping[str, object]) -> subprocess.CompletedProcess[str]:
    """The Deployment of the chart."""
    command = ["helm", "template", "featx", str(CHART), "--values=-", "--kube-version=1.34.0"]
    command.append("--show-only=templates/deployment.yaml")
    return subprocess.run(command, input=json.dumps(values), text=True, capture_output=True, check=False)


def test_the_operator_reads_what_the_chart_renders() -> None:
    values = {
        "namespaces": ["team-a", "team-b"],
        "allowed": {"images": ["registry.example/featx/*"]},
        "tenants": {"team-a": {"allowed": {"podIdentity": True}}},
    }
    rendered = template(values)
    assert rendered.returncode == 0, rendered.stderr
    (deployment,) = [item for item in yaml.safe_load_all(rendered.stdout) if item["kind"] == "Deployment"]
    environment = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    (variable,) = [item for item in environment if item["name"] == "FEATX_ALLOWED"]
    allowed = Tenants.model_validate_json(variable["value"])
    expected = {"images": ("registry.example/featx/*",)}
    assert allowed.allowed_in("team-a") == Allowed(pod_identity=True, **expected)
    assert allowed.allowed_in("team-b") == Allowed(**expected)
