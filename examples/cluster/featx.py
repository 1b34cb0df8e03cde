"""Installs Featx in a cluster as its users do: two images and two charts."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from examples.cluster.choice import Cluster, kubectl, wait_for_rollout
from examples.cluster.errors import ClusterError
from examples.cluster.images import Build
from tools.version import version

ROOT = Path(__file__).resolve().parents[2]
ARGUMENTS = (f"VERSION={version()}",)
OPERATOR = Build("localhost/featx/operator:dev", ROOT / "Dockerfile", ROOT, "operator", ARGUMENTS)
JOB = Build("localhost/featx/job:dev", ROOT / "Dockerfile", ROOT, "job", ARGUMENTS)
NAMESPACE = "featx-system"
ALLOWED = {"nodePools": ["xeon"]}  # the end-to-end tests use it


def install(cluster: Cluster, images: Mapping[str, str], namespaces: Sequence[str]) -> None:
    """Install or upgrade the charts, and wait until the operator runs.

    Args:
        cluster: the cluster.
        images: result of `Cluster.load` for `OPERATOR` and `JOB`.
        namespaces: namespaces to serve; created if missing, with Pod Security `restricted`.

    Raises:
        ClusterError: if helm or kubectl fails, or the operator does not become ready.
    """
    for name in (NAMESPACE, *namespaces):
        kubectl(cluster, "apply", "--filename=-", stdin=json.dumps(_restricted(name)))
    values = {
        "image": images[OPERATOR.tag],
        "jobImage": images[JOB.tag],
        "namespaces": list(namespaces),
        "replicas": 1,  # one node, which has better uses for its memory
        "allowed": ALLOWED,
    }
    # The CRDs are applied without helm, as the README does.
    for crd in sorted((ROOT / "crds").glob("*.yaml")):
        kubectl(cluster, "apply", "--filename", str(crd))
    before = kubectl(cluster, "--namespace", NAMESPACE, "get", "deployments", "--output=name")
    _helm(cluster, "upgrade", "--install", "featx", str(ROOT / "charts" / "featx"), values=values)
    if before:  # the same name may mean another image by now
        kubectl(cluster, "--namespace", NAMESPACE, "rollout", "restart", "deployment/featx-operator")
    wait_for_rollout(cluster, NAMESPACE, "featx-operator")


def _restricted(name: str) -> dict[str, object]:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _helm(cluster: Cluster, *arguments: str, values: Mapping[str, object]) -> None:
    command = cluster.command(["helm", *arguments, "--namespace", NAMESPACE, "--values=-", "--wait", "--timeout=120s"])
    try:
        outcome = subprocess.run(
            command,
            env={**os.environ, **cluster.environment()},
            input=json.dumps(values),
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise ClusterError("helm is not on PATH: install it, or unset KUBECONFIG to use a local cluster") from None
    if outcome.returncode:
        raise ClusterError(f"helm failed: {outcome.stderr.strip()}")
