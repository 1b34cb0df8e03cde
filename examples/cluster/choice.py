"""Chooses the cluster for the demo and the end-to-end tests, behind one interface.

First the cluster that the user names, then kind if Docker runs, then our own node, which needs neither.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from examples.cluster import paths
from examples.cluster.errors import ClusterError
from examples.cluster.images import Build
from examples.cluster.local import LocalCluster

KIND_CLUSTER = "featx"
PREFIX_VARIABLE = "FEATX_IMAGE_PREFIX"


class Cluster(Protocol):
    """A Kubernetes cluster that images can be loaded into."""

    @property
    def name(self) -> str:
        """Name for people."""

    def up(self) -> None:
        """Start it, if it is ours to start. Raises ClusterError."""

    def down(self) -> None:
        """Stop it, if it is ours to stop. Raises ClusterError."""

    def load(self, builds: Sequence[Build]) -> dict[str, str]:
        """Build images and make them available; return the name to use in a pod by tag. Raises ClusterError."""

    def environment(self) -> dict[str, str]:
        """Return the variables that kubectl and helm need besides this process's own."""

    def command(self, arguments: Sequence[str]) -> list[str]:
        """Return the command line that runs a client where it can reach the cluster."""


class GivenCluster:
    """The cluster that KUBECONFIG names. Images reach it through the user's registry."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Read KUBECONFIG and FEATX_IMAGE_PREFIX from `environment`."""
        self.name = f"the cluster of KUBECONFIG={environment['KUBECONFIG']}"
        self._kubeconfig = environment["KUBECONFIG"]
        self._prefix = environment.get(PREFIX_VARIABLE, "").rstrip("/")

    def up(self) -> None:
        """Check that the cluster responds."""
        _run(["kubectl", "version"], self.environment())

    def down(self) -> None:
        """Do nothing: the cluster is not ours to stop."""

    def load(self, builds: Sequence[Build]) -> dict[str, str]:
        """Build images with Docker and push them to the user's registry; the tag changes with each push."""
        if not self._prefix:
            raise ClusterError(
                "KUBECONFIG is set, so images must be pushed to a registry that the cluster pulls from: set "
                f"{PREFIX_VARIABLE}, for example {PREFIX_VARIABLE}=registry.example.com/team, "
                "or unset KUBECONFIG to use a local cluster"
            )
        names = {}
        for build in builds:
            name = pushed_name(self._prefix, build.tag, int(time.time()))
            _docker_build(build, name)
            _run(["docker", "push", name])
            names[build.tag] = name
        return names

    def environment(self) -> dict[str, str]:
        """Return KUBECONFIG."""
        return {"KUBECONFIG": self._kubeconfig}

    def command(self, arguments: Sequence[str]) -> list[str]:
        """Return the arguments as they are."""
        return list(arguments)


class KindCluster:
    """A kind cluster named `featx`. Untested: Featx is developed on machines without a Docker engine."""

    name = f"kind cluster {KIND_CLUSTER}"

    def up(self) -> None:
        """Create the cluster unless it exists."""
        if KIND_CLUSTER not in _run(["kind", "get", "clusters"]).split():
            _run(["kind", "create", "cluster", "--name", KIND_CLUSTER, "--wait", "120s"])
        _run(["kubectl", "label", "nodes", "--all", "--overwrite", "featx.dev/node-pool=xeon"], self.environment())

    def down(self) -> None:
        """Delete the cluster."""
        _run(["kind", "delete", "cluster", "--name", KIND_CLUSTER])

    def load(self, builds: Sequence[Build]) -> dict[str, str]:
        """Build images with Docker and copy them to the node."""
        for build in builds:
            _docker_build(build, build.tag)
            _run(["kind", "load", "docker-image", "--name", KIND_CLUSTER, build.tag])
        return {build.tag: build.tag for build in builds}

    def environment(self) -> dict[str, str]:
        """Return KUBECONFIG, a file of its own so that the user's default context stays as it is."""
        path = Path.home() / ".kube" / "featx-kind.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(_run(["kind", "get", "kubeconfig", "--name", KIND_CLUSTER]))
        return {"KUBECONFIG": str(path)}

    def command(self, arguments: Sequence[str]) -> list[str]:
        """Return the arguments as they are: kind publishes its API server on loopback."""
        return list(arguments)


def choose(environment: Mapping[str, str] = os.environ) -> Cluster:
    """Return the cluster to use on this machine.

    Args:
        environment: environment variables; KUBECONFIG comes first.
    """
    # `exec` sets it for programs inside our own cluster.
    given = environment.get("KUBECONFIG", "")
    if given and given != str(paths.ADMIN_KUBECONFIG):
        return GivenCluster(environment)
    if not given and shutil.which("kind") and shutil.which("docker") and _succeeds(["docker", "info"]):
        return KindCluster()
    return LocalCluster()


def kubectl(cluster: Cluster, *arguments: str, stdin: str = "") -> str:
    """Run kubectl on a cluster and return its output.

    Raises:
        ClusterError: if it fails, with its error output.
    """
    return _run(cluster.command(["kubectl", *arguments]), cluster.environment(), stdin)


def wait_for_rollout(cluster: Cluster, namespace: str, deployment: str) -> None:
    """Wait until a deployment's pods run.

    Raises:
        ClusterError: if they do not within two minutes, with the namespace's events.
    """
    rollout = ("rollout", "status", f"deployment/{deployment}", "--timeout=120s")
    try:
        kubectl(cluster, "--namespace", namespace, *rollout)
    except ClusterError as error:
        events = kubectl(cluster, "--namespace", namespace, "get", "events", "--sort-by=.lastTimestamp")
        raise ClusterError(f"{error}\n{events}") from None


def pushed_name(prefix: str, tag: str, version: int) -> str:
    """Return the name to push an image by: `localhost/featx/job:dev` becomes `PREFIX/featx-job:dev-VERSION`."""
    repository, _, label = tag.removeprefix("localhost/").rpartition(":")
    return f"{prefix}/{repository.replace('/', '-')}:{label}-{version}"


def _docker_build(build: Build, name: str) -> None:
    _run(["docker", "build", f"--tag={name}", *build.options(), str(build.context)])


def _succeeds(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True).returncode == 0


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None, stdin: str = "") -> str:
    try:
        variables = {**os.environ, **(environment or {})}
        outcome = subprocess.run(command, env=variables, input=stdin, capture_output=True, text=True)
    except FileNotFoundError:
        raise ClusterError(f"{command[0]} is not on PATH") from None
    if outcome.returncode != 0:
        raise ClusterError(f"`{' '.join(command)}` failed: {outcome.stderr.strip()}")
    return outcome.stdout
