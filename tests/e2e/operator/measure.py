"""Measures the operator: `python -m examples.cluster exec -- .venv/bin/python -m tests.e2e.operator.measure`.

Prints JSON: milliseconds from applying a run to the creation of its driver pod (watched, not polled), one run at a time
and in a burst; and the resident memory, idle and with many runs whose drivers wait for a node.
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

from tests.e2e.operator.access import create_namespace
from tests.e2e.operator.harness import NAMESPACE, OTHER_NAMESPACE, Operator, kubectl, scripted
from tests.e2e.polling import eventually

SINGLE, MANY = 20, 50
NOWHERE = {"execution": {"nodePool": "no-such-pool"}}


class Watch(threading.Thread):
    """Records when driver pods appear."""

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
    """Creates a run that can't be scheduled; returns the time before the request."""
    resources: Any = client.CustomObjectsApi()
    started = time.monotonic()
    resources.create_namespaced_custom_object(GROUP, VERSION, NAMESPACE, PLURAL, scripted(name, "forever", **NOWHERE))
    return started


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Median and 95th percentile, in milliseconds."""
    cuts = statistics.quantiles(seconds, n=20, method="inclusive")
    return {"p50": round(cuts[9] * 1000, 1), "p95": round(cuts[18] * 1000, 1)}


def main() -> int:
    """Measures and prints; returns the exit code."""
    folder = Path(tempfile.mkdtemp(prefix="featx-measure-"))
    operator = Operator(create_namespace(folder), folder / "log").start().until_active()
    try:
        result = measure(operator)
    finally:
        operator.kill()
        kubectl("delete", "namespace", NAMESPACE, OTHER_NAMESPACE, "--wait=false")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    return 0


def measure(operator: Operator) -> dict[str, Any]:
    """The results, ready for JSON."""
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
    eventually(lambda: _count("Unschedulable") == MANY, "all runs are reported")
    return {
        "applyToDriverMilliseconds": percentiles(single),
        "applyToDriverMillisecondsInABurst": {"runs": len(many), **percentiles(many)},
        "residentMebibytesAtRest": round(at_rest, 1),
        "residentMebibytesWithRuns": {"runs": MANY, "mebibytes": round(operator.resident_mebibytes, 1)},
    }


def _count(reason: str) -> int:
    """How many runs have this reason of DriverReady."""
    path = '{range .items[*]}{.status.conditions[?(@.type=="DriverReady")].reason}{"\\n"}{end}'
    outcome = subprocess.run(
        ["kubectl", "--namespace", NAMESPACE, "get", "fx", f"--output=jsonpath={path}"], capture_output=True, text=True
    )
    return outcome.stdout.split().count(reason)


if __name__ == "__main__":
    sys.exit(main())
