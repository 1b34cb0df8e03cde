"""Runs the end-to-end tests: `python -m tests.e2e [pytest arguments]`; `python -m tests.e2e images` only loads images.

Images are built outside the cluster's network, where package registries can be reached; pytest then runs inside it. A
cluster that this command started is stopped afterwards.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from examples.cluster import Cluster, ClusterError, argo_cd, choose, featx, kueue, leftovers, processes, s3_store
from tests.e2e.kueue.queues import CONFIGURATION
from tests.e2e.names import ACCESS_KEY, NAMESPACE, SECRET_KEY
from tests.e2e.operator.image import OPERATOR_VARIABLE, SCRIPTED_DRIVER, VARIABLE

# Side by side, since most of their time is waiting: each process has namespaces and an operator of its own.
IN_PARALLEL = (
    ["tests/e2e/run"],
    ["tests/e2e/operator", "-n", "2", "--dist", "loadfile"],
    ["tests/e2e/rights", "tests/e2e/test_crd.py", "tests/e2e/charts"],
)


class Guest(NamedTuple):
    """Tests with another program in the cluster, which is built for them: they run only by name.

    Attributes:
        folder: The tests.
        prepare: Installs the program; returns the variables for the tests.
        clean_up: Removes it.
    """

    folder: str
    prepare: Callable[[Cluster], dict[str, str]]
    clean_up: Callable[[Cluster], None]


def main(arguments: list[str]) -> int:
    """Runs pytest in a cluster; returns its exit code."""
    if arguments == ["images"]:
        return only_images()
    if guest := guest_of(arguments):
        return in_cluster([], [(guest, command(arguments))])
    return in_cluster([command(tests) for tests in ([arguments] if arguments else IN_PARALLEL)])


def command(tests: list[str]) -> list[str]:
    """The command that runs some tests."""
    return [sys.executable, "-m", "pytest", *tests]


def guest_of(tests: list[str]) -> Guest | None:
    """What the tests that pytest's arguments name need besides the cluster."""
    # Kueue's webhooks see the pods of all other tests.
    guests = (
        Guest("tests/e2e/kueue", prepare_kueue, kueue.uninstall),
        Guest("tests/e2e/gitops", prepare_argo_cd, lambda _: argo_cd.stop()),
    )
    return next((guest for guest in guests if any(name.startswith(guest.folder) for name in tests)), None)


def only_images() -> int:
    """Loads Featx's images into the running cluster."""
    for tag, name in choose().load([featx.OPERATOR, featx.JOB]).items():
        print(f"{tag}: {name} in the cluster")
    return 0


def in_cluster(commands: list[list[str]], guests: Sequence[tuple[Guest, list[str]]] = ()) -> int:
    """Runs commands in a cluster; returns the worst exit code.

    Args:
        commands: Run in parallel, with Featx and an S3 server.
        guests: Commands that run afterwards, each with another program in the cluster.
    """
    cluster = choose()
    was_up = bool(processes.recorded()) and all(map(processes.running, processes.recorded()))
    try:
        cluster.up()
        code = 0
        if commands:
            code = in_parallel([cluster.command(command) for command in commands], {**os.environ, **prepare(cluster)})
        for guest, command in guests:
            variables = guest.prepare(cluster)
            code = (
                code
                or subprocess.run(cluster.command(command), env={**os.environ, **variables}, check=False).returncode
            )
            guest.clean_up(cluster)
        if not was_up:
            cluster.down()
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for line in [] if was_up else leftovers():
        print(f"left over after the cluster was stopped: {line}", file=sys.stderr)
        code = code or 1
    return code


def in_parallel(commands: list[list[str]], environment: dict[str, str]) -> int:
    """Runs commands in parallel; shows the first one's output live, and the others' when they have finished."""
    first, *others = commands
    with ExitStack() as files:
        logs = [files.enter_context(tempfile.TemporaryFile("w+")) for _ in others]
        running = [
            subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
            for command, log in zip(others, logs, strict=True)
        ]
        codes = [
            subprocess.run(first, env=environment, check=False).returncode,
            *(process.wait() for process in running),
        ]
        for log in logs:
            log.seek(0)
            sys.stdout.write(log.read())
    return max(codes, key=abs)


def prepare(cluster: Cluster) -> dict[str, str]:
    """Loads the images into a cluster and installs store and operator; returns the variables for the commands.

    Raises:
        ClusterError: One of them can't be installed.
    """
    images = cluster.load([featx.OPERATOR, featx.JOB, SCRIPTED_DRIVER])
    s3_store.deploy(cluster, ACCESS_KEY, SECRET_KEY)
    featx.install(cluster, images, [NAMESPACE])
    return {
        **cluster.environment(),
        VARIABLE: images[SCRIPTED_DRIVER.tag],
        OPERATOR_VARIABLE: images[featx.OPERATOR.tag],
    }


def prepare_kueue(cluster: Cluster) -> dict[str, str]:
    """Installs Kueue in a cluster, and the scripted driver; returns the variables for the commands.

    Raises:
        ClusterError: Kueue can't be built or installed.
    """
    build = kueue.build()
    images = cluster.load([build, SCRIPTED_DRIVER])
    kueue.install(cluster, images[build.tag], CONFIGURATION)
    return {**cluster.environment(), VARIABLE: images[SCRIPTED_DRIVER.tag]}


def prepare_argo_cd(cluster: Cluster) -> dict[str, str]:
    """Starts Argo CD beside the node, and loads the operator's image and the scripted driver's; see `prepare_kueue`."""
    images = cluster.load([featx.OPERATOR, SCRIPTED_DRIVER])
    argo_cd.start()
    variables = {VARIABLE: images[SCRIPTED_DRIVER.tag], OPERATOR_VARIABLE: images[featx.OPERATOR.tag]}
    return {**cluster.environment(), **variables}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
