"""Installs Kueue, of the version in go/kueue, with its own chart: `python -m examples.cluster kueue`.

The chart comes with the Go module that the program is built from. No release's image can be pulled here, so the program
is put into an image of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from typing import Any

import yaml

from examples.cluster import binaries
from examples.cluster.choice import Cluster, kubectl, wait_for_rollout
from examples.cluster.errors import ClusterError
from examples.cluster.images import Build

NAMESPACE = "kueue-system"
TAG = f"localhost/kueue:{binaries.version(binaries.KUEUE)}"
DOCKERFILE = 'FROM scratch\nCOPY kueue /manager\nUSER 65532:65532\nENTRYPOINT ["/manager"]\n'


def build() -> Build:
    """Build the program, about three minutes once; return the image to load into a cluster.

    Raises:
        ClusterError: if Go is not installed or the build fails.
    """
    binaries.build([binaries.KUEUE])
    folder = binaries.folder_of(binaries.KUEUE)
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text(DOCKERFILE)
    return Build(TAG, dockerfile, folder)


def install(cluster: Cluster, image: str, configuration: Mapping[str, Any] | None = None) -> None:
    """Install or upgrade Kueue, and wait until its webhooks respond.

    Args:
        cluster: the cluster.
        image: name of the image in the cluster, the result of `Cluster.load` for `build()`.
        configuration: fields of Kueue's configuration that differ from the chart's.

    Raises:
        ClusterError: if helm or kubectl fails, or Kueue does not become ready.
    """
    repository, _, tag = image.rpartition(":")
    chart = binaries.source_of(binaries.KUEUE) / "charts" / "kueue"
    default = yaml.safe_load((chart / "values.yaml").read_text())["managerConfig"]["controllerManagerConfigYaml"]
    settings = {**yaml.safe_load(default), **(configuration or {})}
    manager = {
        "image": {"repository": repository, "tag": tag, "pullPolicy": "IfNotPresent"},
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
    }
    # One replica on a node that may be busy: it has nobody to lose the lead to, and a restart helps nobody.
    settings["leaderElection"] = {"leaderElect": False}
    patient = {"timeoutSeconds": 20, "failureThreshold": 10}
    quick = {"initialDelaySeconds": 1, "periodSeconds": 2, **patient}
    values = {
        "controllerManager": {"manager": manager, "readinessProbe": quick, "livenessProbe": patient},
        "managerConfig": {"controllerManagerConfigYaml": yaml.safe_dump(settings)},
    }
    command = cluster.command(
        [
            "helm",
            "upgrade",
            "--install",
            "kueue",
            str(chart),
            "--namespace",
            NAMESPACE,
            "--create-namespace",
            "--values=-",
        ]
    )
    environment = {**os.environ, **cluster.environment()}
    outcome = subprocess.run(command, env=environment, input=json.dumps(values), capture_output=True, text=True)
    if outcome.returncode:
        raise ClusterError(f"helm can't install Kueue: {outcome.stderr.strip()}")
    wait_for_rollout(cluster, NAMESPACE, "kueue-controller-manager")


def uninstall(cluster: Cluster) -> None:
    """Remove Kueue, with its CRDs and everything of their kinds."""
    command = cluster.command(["helm", "uninstall", "kueue", "--namespace", NAMESPACE, "--ignore-not-found"])
    subprocess.run(command, env={**os.environ, **cluster.environment()}, capture_output=True)
    kubectl(cluster, "delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")
