"""Builds Prometheus, once per version, and runs the tests with a name of their own for the cluster's folders."""

from __future__ import annotations

import os
import subprocess
import sys

from examples.cluster import ClusterError, binaries

NAME = "monitoring"


def main() -> int:
    """Runs pytest; returns its exit code."""
    try:
        binaries.build()
        binaries.build([binaries.PROMETHEUS])
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    # The name is read when the cluster's package is imported, and a network namespace can't be left by all threads.
    command = [sys.executable, "-m", "pytest", "tests/monitoring", *sys.argv[1:]]
    return subprocess.run(command, env={**os.environ, "FEATX_CLUSTER": NAME}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
