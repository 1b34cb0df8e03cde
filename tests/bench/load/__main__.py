"""Runs the measurements in a cluster of their own and writes docs/bench/load.json and its page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench import machine

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "bench"
PLAN = (  # delays in milliseconds, and scenarios
    ("0 20 50", "rate burst"),
    ("0", "finished replicas"),
)


def main() -> int:
    """Measures and writes; returns the exit code."""
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (delays, scenarios) in enumerate(PLAN):
            output = Path(folder) / f"{number}.json"
            command = [sys.executable, "-m", "tests.bench.load.measure", "--output", str(output)]
            command += ["--delays", *delays.split(), "--scenarios", *scenarios.split()]
            # The name of the cluster is read when its package is imported.
            environment = {**os.environ, "FEATX_CLUSTER": os.environ.get("FEATX_CLUSTER") or "bench-load"}
            if code := subprocess.run(command, env=environment, check=False).returncode:
                return code
            results += json.loads(output.read_text())
    write(results, datetime.now(UTC).date().isoformat())
    return 0


def write(results: list[dict[str, Any]], date: str) -> None:
    """Writes the numbers as JSON and as a page."""
    facts = {"date": date, "machine": machine.described(), "load": load_average(), "results": results}
    (FOLDER / "load.json").write_text(json.dumps(facts, indent=2) + "\n")
    (FOLDER / "load.md").write_text("\n".join(page(facts)) + "\n")


def load_average() -> float:
    """How many processes wanted a CPU in the last minute, on this machine."""
    return round(os.getloadavg()[0], 1)


def page(facts: dict[str, Any]) -> list[str]:
    """The lines of the page."""
    results = facts["results"]
    runs = [result for result in results if "applyToDriver" in result]
    lines = [
        "# The operator under load\n",
        f"`make bench WHAT=load`, {facts['date']}: {facts['machine']}. A real etcd and kube-apiserver; scheduler and "
        "kubelet are simulated: a driver is scheduled 0.1 s after its creation, runs after 0.5 s, and succeeds 2 s "
        "later. "
        "The operator is bound to one core and has the chart's rights and settings. All processes share the machine, "
        f"where {facts['load']} wanted a CPU at the end of the measurement. Delay: added to each request of the "
        "operator. "
        "Requests are counted by the API server's audit log.\n",
        "`rate`: ten resources a second for a minute. `burst`: 1,000 resources at once. Times are 95th percentiles, in "
        "seconds.\n",
        "| scenario | delay | apply to driver | drivers a minute | running to status | end to status | requests a run "
        "| CPU a run | memory, at most |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for result in runs:
        times = [result[name].get("p95", "") for name in ("applyToDriver", "runningToStatus", "endToStatus")]
        lines.append(
            f"| {result['scenario']} | {result['delay']} ms | {times[0]} | {result['driversPerMinute']} | {times[1]} | "
            f"{times[2]} | {result['requestsPerRun']} | {result['cpuMillisecondsPerRun']} ms | "
            f"{result['mostMebibytes']} MiB |"
        )
    for result in results:
        lines += ["", *_extra(result)] if result["scenario"] in ("finished", "replicas") else []
    return lines


def _extra(result: dict[str, Any]) -> list[str]:
    if result["scenario"] == "replicas":
        seconds = result["secondsUntilADriver"]
        return [
            f"A second replica creates the next driver {seconds['killed']} s after the first one was killed, and "
            f"{seconds['stopped']} s after it was stopped."
        ]
    return [
        f"Beside {result['endedRuns']:,} ended runs the operator has {result['mebibytesWithAll']} MiB, "
        f"{result['afterRestart']['most']} MiB at most after a restart (without any: {result['mebibytesWithNone']}), "
        f"and {result['mostMebibytes']} with 1,000 active runs besides. It sends "
        f"{sum(result['requestsAfterRestart'].values())} requests in the first minute after the restart, and creates "
        f"the first driver {result['startToFirstDriver']} s after its start."
    ]


if __name__ == "__main__":
    sys.exit(main())
