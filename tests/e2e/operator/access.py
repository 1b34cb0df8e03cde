"""The tests' namespaces, with the permissions that the chart grants the operator."""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path

import yaml

from tests.e2e.operator.harness import NAMESPACE, OTHER_NAMESPACE, connect, kubectl
from tests.e2e.polling import eventually

ROOT = Path(__file__).resolve().parents[3]
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def create_namespace(folder: Path, *options: str) -> Path:
    """Creates the namespaces, and in a folder a kubeconfig of the operator's service account; returns its path.

    Args:
        folder: Where the kubeconfig goes.
        options: More options of `helm template`.
    """
    for crd in sorted((ROOT / "crds").glob("*.yaml")):
        kubectl("apply", "--filename", str(crd))
        # kubectl gives up on one that has no conditions yet.
        established = partial(kubectl, "wait", "--for=condition=Established", f"crd/{crd.stem}", check=False)
        eventually(lambda established=established: established().returncode == 0, f"{crd.stem} is established")  # type: ignore[misc]
    for name in (NAMESPACE, OTHER_NAMESPACE):
        phase = kubectl("get", "namespace", name, "--output=jsonpath={.status.phase}", check=False).stdout
        if phase == "Terminating":  # an earlier session's
            kubectl("wait", "--for=delete", f"namespace/{name}", "--timeout=60s")
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}
        kubectl("apply", "--filename=-", stdin=namespace)
    subprocess.run(["kubectl", "apply", "--filename=-"], input=permissions(*options), text=True, check=True)
    token = kubectl("create", "token", "featx-operator", "--duration=2h").stdout.strip()
    kubeconfig = yaml.safe_load(kubectl("config", "view", "--raw", "--minify").stdout)
    kubeconfig["users"][0]["user"] = {"token": token}
    path = folder / "kubeconfig.yaml"
    path.write_text(yaml.safe_dump(kubeconfig))
    connect()
    return path


def permissions(*options: str) -> str:
    """Service accounts, Roles and bindings, as the chart renders them for these namespaces only."""
    templates = ["--show-only=templates/operator-access.yaml", "--show-only=templates/job-access.yaml"]
    command = ["helm", "template", "featx", str(ROOT / "charts/featx"), "--namespace", NAMESPACE, *templates]
    command += ["--set", f"namespaces={{{NAMESPACE},{OTHER_NAMESPACE}}}", "--kube-version=1.34.0", *options]
    rendered = subprocess.run(command, text=True, capture_output=True, check=False)
    assert rendered.returncode == 0, rendered.stderr
    return rendered.stdout
