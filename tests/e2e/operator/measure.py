"""Measures the operator: `python -m examples.cluster exec -- .venv/bin/python -m tests.e2e.operator.measure`.

Prints JSON: milliseconds from apply to the driver pod's creation (watched, not polled), one run at a time and with all
of them applied at once, and the resident memory at rest and with many runs whose drivers wait for a node.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from featx_api import GROUP, PLURAL, VERSION
from kubernetes import client, watch

from tests.e2e.operator.access import made
from tests.e2e.operator.scene import NAMESPACE, Operator, eventually, kubectl, scripted

SINGLE, MANY = 20, 50
NOWHERE = {"execution": {"nodePool": "no-such-pool"}}


class Watch(threading.Thread):
    """Notes when driver pods appear."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: dict[str, float] = {}

    def run(self) -> None:
        """Watches until the process ends."""
        core: Any = client.CoreV1Api()
        watching: Any = watch.Watch
        drivers = {"label_selector": "featx.dev/role=driver"}
        for event in watching().stream(core.list_namespaced_pod, NAMESPACE, **drivers):
            self.seen.setdefault(event["object"].metadata.labels["featx.dev/name"], time.monotonic())


def create(name: str) -> float:
    """Creates a run that can't be scheduled; returns when."""
    resources: Any = client.CustomObjectsApi()
    started = time.monotonic()
    resources.create_namespaced_custom_object(GROUP, VERSION, NAMESPACE, PLURAL, scripted(name, "forever", **NOWHERE))
    return started


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Returns median and 95th percentile, in milliseconds."""
    cuts = statistics.quantiles(seconds, n=20, method="inclusive")
    return {"p50": round(cuts[9] * 1000, 1), "p95": round(cuts[18] * 1000, 1)}


def main() -> int:
    """Runs all of it; returns the exit code."""
    folder = Path(tempfile.mkdtemp(prefix="featx-measure-"))
    operator = Operator(made(folder), folder / "log").start().until_it_acts()
    try:
        result = measured(operator)
    finally:
        operator.kill()
        kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    return 0


def measured(operator: Operator) -> dict[str, Any]:
    """Returns the figures."""
    drivers = Watch()
    drivers.start()
    eventually(lambda: not kubectl("get", "fx", "--output=name").stdout, "an empty namespace")
    at_rest = operator.resident_mebibytes
    single = []
    for number in range(SINGLE):
        name = f"single-{number}"
        started = create(name)
        eventually(lambda name=name: name in drivers.seen)  # type: ignore[misc]
        single.append(drivers.seen[name] - started)
    starts = {f"many-{number}": 0.0 for number in range(MANY - SINGLE)}
    for name in starts:
        starts[name] = create(name)
    eventually(lambda: starts.keys() <= drivers.seen.keys())
    many = [drivers.seen[name] - started for name, started in starts.items()]
    eventually(lambda: _said("Unschedulable") == MANY, "all are reported")
    return {
        "applyToDriverMilliseconds": percentiles(single),
        "applyToDriverMillisecondsInABurst": {"runs": len(many), **percentiles(many)},
        "residentMebibytesAtRest": round(at_rest, 1),
        "residentMebibytesWithRuns": {"runs": MANY, "mebibytes": round(operator.resident_mebibytes, 1)},
    }


def _said(reason: str) -> int:
    path = '{range .items[*]}{.status.conditions[?(@.type=="DriverReady")].reason}{"\\n"}{end}'
    outcome = subprocess.run(
        ["kubectl", "--namespace", NAMESPACE, "get", "fx", f"--output=jsonpath={path}"], capture_output=True, text=True
    )
    return outcome.stdout.split().count(reason)


if __name__ == "__main__":
    sys.exit(main())
