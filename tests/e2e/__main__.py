"""Runs the end-to-end tests: `python -m tests.e2e [pytest arguments]`; `python -m tests.e2e images` only loads images.

Images are built outside of the cluster's network, where package registries are reached; pytest then runs inside it. A
cluster that was not up before is stopped afterwards.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tests.cluster import ClusterError, choose, featx, leftovers, processes, s3_store
from tests.e2e.names import ACCESS_KEY, NAMESPACE, SECRET_KEY
from tests.e2e.operator.image import SCRIPTED_DRIVER, VARIABLE


def main(arguments: list[str]) -> int:
    """Prepares the cluster, runs pytest in it, and stops it if it was not up; returns pytest's exit code."""
    cluster = choose()
    was_up = bool(processes.recorded()) and all(map(processes.running, processes.recorded()))
    try:
        cluster.up()
        images = cluster.load([featx.OPERATOR, featx.JOB, SCRIPTED_DRIVER])
        if arguments == ["images"]:
            print("\n".join(f"{tag} is {name} in the cluster" for tag, name in images.items()))
            return 0
        s3_store.deploy(cluster, ACCESS_KEY, SECRET_KEY)
        featx.install(cluster, images, [NAMESPACE])
        command = [sys.executable, "-m", "pytest", *(arguments or ["tests/e2e"])]
        code = subprocess.run(
            cluster.command(command),
            env={**os.environ, **cluster.environment(), VARIABLE: images[SCRIPTED_DRIVER.tag]},
            check=False,
        ).returncode
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not was_up:
        cluster.down()
        for line in leftovers():
            print(f"still there after the cluster was stopped: {line}", file=sys.stderr)
            code = code or 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
