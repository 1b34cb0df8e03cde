"""Runs the end-to-end tests: `python -m tests.e2e [pytest arguments]`; `python -m tests.e2e images` only loads images.

Images are built outside of the cluster's network, where package registries are reached; pytest then runs inside it. A
cluster that was not up before is stopped afterwards.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tests.cluster import Cluster, ClusterError, choose, featx, leftovers, processes, s3_store
from tests.e2e.names import ACCESS_KEY, NAMESPACE, SECRET_KEY
from tests.e2e.operator.image import SCRIPTED_DRIVER, VARIABLE


def main(arguments: list[str]) -> int:
    """Prepares the cluster, runs pytest in it, and stops it if it was not up; returns pytest's exit code."""
    if arguments == ["images"]:
        return only_images()
    return in_cluster([sys.executable, "-m", "pytest", *(arguments or ["-n2", "--dist=loadgroup", "tests/e2e"])])


def only_images() -> int:
    """Gives the cluster that is up Featx's images."""
    for tag, name in choose().load([featx.OPERATOR, featx.JOB]).items():
        print(f"{tag} is {name} in the cluster")
    return 0


def in_cluster(command: list[str]) -> int:
    """Runs a command in a cluster that has Featx and an S3 server; returns its exit code."""
    cluster = choose()
    was_up = bool(processes.recorded()) and all(map(processes.running, processes.recorded()))
    try:
        cluster.up()
        variables = prepare(cluster)
        code = subprocess.run(cluster.command(command), env={**os.environ, **variables}, check=False).returncode
        if not was_up:
            cluster.down()
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for line in [] if was_up else leftovers():
        print(f"still there after the cluster was stopped: {line}", file=sys.stderr)
        code = code or 1
    return code


def prepare(cluster: Cluster) -> dict[str, str]:
    """Brings images, store and operator to a cluster; returns the variables for what runs in it.

    Raises:
        ClusterError: One of them can't be brought there.
    """
    images = cluster.load([featx.OPERATOR, featx.JOB, SCRIPTED_DRIVER])
    s3_store.deploy(cluster, ACCESS_KEY, SECRET_KEY)
    featx.install(cluster, images, [NAMESPACE])
    return {**cluster.environment(), VARIABLE: images[SCRIPTED_DRIVER.tag]}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
