"""Measures how long Argo CD takes from a commit to a run that has succeeded, beside `kubectl apply` of the same run.

Started by itself, it starts a node with Argo CD and measures there. Runs have no work to do: their driver reports
success at once.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from examples.cluster import binaries
from tests.bench import machine
from tests.e2e.__main__ import guest_of, in_cluster
from tests.e2e.charts.release import condition, kubectl
from tests.e2e.gitops.platform import start_app, start_platform, stop_platform
from tests.e2e.gitops.repository import TEAM, App, Repository, run
from tests.e2e.polling import eventually

RUNS = 10
FOLDER = Path(__file__).resolve().parents[2] / "docs" / "bench"
APP = "measured"
INSIDE = "--inside"


def main(arguments: list[str]) -> int:
    """Measures, and writes the result; returns the exit code."""
    if INSIDE not in arguments:
        guest = guest_of(["tests/e2e/gitops"])
        assert guest
        return in_cluster([], [(guest, [sys.executable, "-m", "tests.bench.gitops", INSIDE])])
    with tempfile.TemporaryDirectory() as folder:
        repository = Repository(Path(folder))
        started = time.monotonic()
        platform = start_platform(repository)
        try:
            platform.until("Synced", "Healthy")
            charts = time.monotonic() - started
            write({"charts": round(charts, 1), "argoCd": synced(repository), "kubectl": applied()})
        finally:
            App(APP).delete()
            stop_platform(platform)
    return 0


def synced(repository: Repository) -> list[dict[str, float]]:
    """The seconds after a commit at which Argo CD has created the run, it has succeeded, and its health says so."""
    repository.commit({f"apps/{APP}/first.yaml": run("first", "succeed 1")})
    app = start_app(repository, APP).until("Synced", "Healthy")
    times = []
    for number in range(RUNS):
        name = f"synced-{number}"
        started = time.monotonic()
        repository.commit({f"apps/{APP}/{name}.yaml": run(name, "succeed 1")})
        # As a forge's webhook does. Without one, Argo CD looks at git every three minutes.
        kubectl("annotate", "application", APP, "--namespace=argocd", "argocd.argoproj.io/refresh=normal")
        eventually(partial(exists, name), "the run")
        created = time.monotonic() - started
        succeeded = until_succeeded(name) - started
        app.until_resource("FeatureExtraction", name, "Healthy")
        times.append({"created": created, "succeeded": succeeded, "healthy": time.monotonic() - started})
    return [{name: round(seconds, 2) for name, seconds in row.items()} for row in times]


def applied() -> list[dict[str, float]]:
    """The seconds after `kubectl apply` at which a run has succeeded."""
    times = []
    for number in range(RUNS):
        name = f"applied-{number}"
        body = run(name, "succeed 1")
        body["metadata"]["namespace"] = TEAM
        started = time.monotonic()
        kubectl("apply", "--filename=-", stdin=body)
        times.append({"succeeded": round(until_succeeded(name) - started, 2)})
    return times


def exists(name: str) -> bool:
    """Whether a run exists."""
    return bool(kubectl("get", "fx", name, f"--namespace={TEAM}", "--ignore-not-found", "--output=name").stdout)


def until_succeeded(name: str) -> float:
    """Waits until a run has succeeded; returns when that was seen."""
    eventually(lambda: condition(TEAM, name, "Succeeded").get("status") == "True", f"{name} to succeed")
    return time.monotonic()


def write(facts: dict[str, Any]) -> None:
    """Writes the numbers as JSON and as a page."""
    facts = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine.described(), **facts}
    facts["version"] = binaries.version(binaries.ARGO_CD)
    (FOLDER / "gitops.json").write_text(json.dumps(facts, indent=2) + "\n")
    (FOLDER / "gitops.md").write_text("\n".join(page(facts)) + "\n")


def page(facts: dict[str, Any]) -> list[str]:
    """The lines of the page."""
    rows = (
        ("commit to the run's creation", facts["argoCd"], "created"),
        ("commit to Succeeded", facts["argoCd"], "succeeded"),
        ("commit to Healthy in Argo CD", facts["argoCd"], "healthy"),
        ("`kubectl apply` to Succeeded", facts["kubectl"], "succeeded"),
    )
    lines = [
        "# From a commit to a finished run\n",
        f"`make bench WHAT=gitops`, {facts['date']}: {facts['machine']}. Argo CD {facts['version']} beside a real "
        f"node, a git repository on the same machine, {len(facts['argoCd'])} commits with one more run each. Argo CD "
        "is notified of each commit, as by a forge's webhook. The driver reports success at once, so all that is "
        "measured is the way there: sync, operator, scheduler, kubelet, and back. Seconds.\n",
        "| | median | longest |",
        "|---|---|---|",
    ]
    for name, times, key in rows:
        seconds = [row[key] for row in times]
        lines.append(f"| {name} | {statistics.median(seconds):.1f} | {max(seconds):.1f} |")
    return [
        *lines,
        "",
        f"Both charts with a tenant are Synced and Healthy {facts['charts']} s after their Application.",
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
