"""Runs the end-to-end tests: `python -m tests.e2e [pytest arguments]`; `python -m tests.e2e images` only loads images.

Images are built outside of the cluster's network, where package registries are reached; pytest then runs inside it. A
cluster that was not up before is stopped afterwards.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack

from examples.cluster import Cluster, ClusterError, choose, featx, leftovers, processes, s3_store
from tests.e2e.names import ACCESS_KEY, NAMESPACE, SECRET_KEY
from tests.e2e.operator.image import SCRIPTED_DRIVER, VARIABLE

# Runs of the job and the operator's own tests have a namespace and an operator each.
TOGETHER = (["tests/e2e/run"], ["tests/e2e/operator", "tests/e2e/test_crd.py"])


def main(arguments: list[str]) -> int:
    """Prepares the cluster, runs pytest in it, and stops it if it was not up; returns pytest's exit code."""
    if arguments == ["images"]:
        return only_images()
    return in_cluster(*([sys.executable, "-m", "pytest", *each] for each in ([arguments] if arguments else TOGETHER)))


def only_images() -> int:
    """Gives the cluster that is up Featx's images."""
    for tag, name in choose().load([featx.OPERATOR, featx.JOB]).items():
        print(f"{tag} is {name} in the cluster")
    return 0


def in_cluster(*commands: list[str]) -> int:
    """Runs commands side by side in a cluster that has Featx and an S3 server; returns the worst exit code."""
    cluster = choose()
    was_up = bool(processes.recorded()) and all(map(processes.running, processes.recorded()))
    try:
        cluster.up()
        variables = prepare(cluster)
        code = side_by_side([cluster.command(each) for each in commands], {**os.environ, **variables})
        if not was_up:
            cluster.down()
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for line in [] if was_up else leftovers():
        print(f"still there after the cluster was stopped: {line}", file=sys.stderr)
        code = code or 1
    return code


def side_by_side(commands: list[list[str]], environment: dict[str, str]) -> int:
    """Runs commands at once; what the first one says is seen at once, and what others say when they have ended."""
    first, *others = commands
    with ExitStack() as files:
        logs = [files.enter_context(tempfile.TemporaryFile("w+")) for _ in others]
        running = [
            subprocess.Popen(each, env=environment, stdout=log, stderr=subprocess.STDOUT)
            for each, log in zip(others, logs, strict=True)
        ]
        codes = [subprocess.run(first, env=environment, check=False).returncode, *(each.wait() for each in running)]
        for log in logs:
            log.seek(0)
            sys.stdout.write(log.read())
    return max(codes, key=abs)


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
