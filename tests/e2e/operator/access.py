"""The tests' namespace, with the operator's rights as the chart gives them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

from tests.e2e.operator.scene import NAMESPACE, connect, kubectl

ROOT = Path(__file__).resolve().parents[3]
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def made(folder: Path) -> Path:
    """Makes the namespace, and in a folder a kubeconfig of the operator's service account; returns its path."""
    kubectl("apply", "--filename", str(ROOT / "crds/featureextractions.featx.dev.yaml"))
    kubectl("wait", "--for=condition=Established", "crd/featureextractions.featx.dev", "--timeout=30s")
    phase = kubectl("get", "namespace", NAMESPACE, "--output=jsonpath={.status.phase}", check=False).stdout
    if phase == "Terminating":  # by an earlier session
        kubectl("wait", "--for=delete", f"namespace/{NAMESPACE}", "--timeout=60s")
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": RESTRICTED}}
    kubectl("apply", "--filename=-", stdin=space)
    kubectl("apply", "--filename=-", stdin=_rendered())
    token = kubectl("create", "token", "featx-operator", "--duration=2h").stdout.strip()
    given = yaml.safe_load(kubectl("config", "view", "--raw", "--minify").stdout)
    given["users"][0]["user"] = {"token": token}
    path = folder / "kubeconfig.yaml"
    path.write_text(yaml.safe_dump(given))
    connect()
    return path


def _rendered() -> str:
    """Returns service accounts, Roles and bindings as the chart renders them for this namespace alone."""
    templates = ["--show-only=templates/operator-access.yaml", "--show-only=templates/job-access.yaml"]
    command = ["helm", "template", "featx", str(ROOT / "charts/featx"), "--namespace", NAMESPACE, *templates]
    command += ["--set", f"namespaces={{{NAMESPACE}}}", "--kube-version=1.34.0"]
    rendered = subprocess.run(command, text=True, capture_output=True, check=False)
    assert rendered.returncode == 0, rendered.stderr
    return rendered.stdout
