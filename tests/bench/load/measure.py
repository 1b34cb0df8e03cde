"""Measures in the network of a control plane of its own and prints JSON; `python -m tests.bench.load` calls it."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from examples.cluster import network
from tests.bench.load import control_plane, scenarios
from tests.bench.load.operator_process import Operator

SCENARIOS = {
    "rate": scenarios.rate,
    "burst": scenarios.burst,
    "finished": scenarios.finished,
    "replicas": scenarios.replicas,
}


def main() -> int:
    """Runs scenarios at delays; returns the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--delays", type=int, nargs="+", default=[0, 20, 50], help="milliseconds")
    parser.add_argument("--scenarios", nargs="+", default=list(SCENARIOS), choices=SCENARIOS)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    results = []
    for delay in options.delays:
        for name in options.scenarios:
            with control_plane.started(), tempfile.TemporaryDirectory() as folder:
                operator = Operator(Path(folder), delay)
                try:
                    operator.wait_until_active()
                    result = {"scenario": name, "delay": delay, **asyncio.run(SCENARIOS[name](operator))}
                finally:
                    operator.stop()
                    sys.stderr.write("".join(operator.log.read_text().splitlines(keepends=True)[-5:]))
            sys.stdout.write(json.dumps(result) + "\n")
            sys.stdout.flush()
            results.append(result)
    if options.output:
        options.output.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    assert network  # the process enters the namespace in `control_plane.started`
    sys.exit(main())
