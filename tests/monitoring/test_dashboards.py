"""Every panel shows what a real Prometheus has of real operators while runs start, work, wait, fail and succeed."""

from __future__ import annotations

import asyncio
import math
import re
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from examples.cluster import paths
from tests.bench.load import control_plane
from tests.bench.load.operator_process import METRICS_PORT, Operator
from tests.monitoring.dashboards import Query, alerts, queries
from tests.monitoring.prometheus import Prometheus
from tests.monitoring.runs import Runs

OTHER_PORT = METRICS_PORT + 1
PANELS = list(queries())


QUESTIONS = {
    "active": "sum(featx_lease_held)",
    "runs": "sum by (state) (featx_runs)",
    "running": "count by (namespace, run) (featx_run_images_total)",
    "speed": 'sum by (run) (rate(featx_run_images_total{run=~"slow.*"}[30s]))',
    "seconds": 'sum by (step) (featx_run_step_seconds_total{run="slow-0"})',
    "images": 'sum(featx_run_images_total{run="slow-0"})',
}
APPLIED = ("good-0", "bad-0", "flaky-0", "slow-0", "waiting-0", "good-1", "slow-1")
STATES = {"Active": 3, "Succeeded": 3, "Failed": 1}  # in the end
PATIENCE = 180.0  # seconds, on a busy machine
Series = list[dict[str, Any]]


class Seen:
    """What Prometheus has of a moment.

    Attributes:
        panels: Series by query.
        answers: Series by the names of `QUESTIONS`.
        alerts: Names of the alerts that are not silent.
        rules: Errors of rules, by their names.
    """

    def __init__(self, prometheus: Prometheus) -> None:
        self.panels: dict[Query, Series] = {panel: prometheus.query(panel.expression) for panel in PANELS}
        self.answers: dict[str, Series] = {name: prometheus.query(text) for name, text in QUESTIONS.items()}
        self.alerts = {alert["labels"]["alertname"] for alert in prometheus.get("alerts")["alerts"]}
        groups = prometheus.get("rules")["groups"]
        self.rules = {rule["name"]: rule.get("lastError", "") for group in groups for rule in group["rules"]}

    def is_settled(self) -> bool:
        """Whether the runs are where they go, and were there for a window."""
        speeds = numbers(self.answers["speed"])
        return (
            numbers(self.answers["runs"], "state") == STATES
            and all(self.panels.values())
            and all(speed > 9 for speed in speeds.values())
            and "FeatxStoreUnreachable" in self.alerts
        )


def numbers(series: Series, label: str = "") -> dict[str, float]:
    """The values of series, by a label."""
    return {one["metric"].get(label, ""): float(one["value"][1]) for one in series}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """An API server, two operators, a Prometheus, and runs of every kind."""
    assert paths.NAME != "cluster", "run it by `make monitoring`: this would remove the cluster that is up"
    folder = tmp_path_factory.mktemp("monitoring")
    with control_plane.started():
        settings = {"BACKOFF_SECONDS": "1", "PROGRESS_SECONDS": "1"}
        operators = [Operator(folder, 0, **settings)]
        operators[0].wait_until_active()
        operators.append(Operator(folder, 0, "other", METRICS_PORT=str(OTHER_PORT), **settings))
        ports = {"featx-operator-a": METRICS_PORT, "featx-operator-b": OTHER_PORT}
        prometheus = Prometheus(folder, {pod: f"127.0.0.1:{port}" for pod, port in ports.items()}, alerts())
        try:
            yield asyncio.run(watch(prometheus))
        finally:
            prometheus.stop()
            for operator in operators:
                operator.stop()
                sys.stdout.write("".join(operator.log.read_text().splitlines(keepends=True)[-20:]))


async def watch(prometheus: Prometheus) -> Seen:
    """Applies runs, and asks the queries of all panels until the runs are where they go, while some still work."""
    async with Runs(seconds=0) as runs:
        await asyncio.sleep(5)  # the operators are scraped before anything happens
        for number, name in enumerate(APPLIED):
            await runs.apply(name, number)
        deadline = time.monotonic() + PATIENCE
        seen = await asyncio.to_thread(Seen, prometheus)
        while not seen.is_settled() and time.monotonic() < deadline:
            await asyncio.sleep(2)
            seen = await asyncio.to_thread(Seen, prometheus)
    return seen


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: f"{panel.panel}: {panel.legend}")
def test_every_panel_has_data_with_the_labels_of_its_legend(panel: Query, seen: Seen) -> None:
    series = seen.panels[panel]
    assert series, panel.expression
    values = [float(one["value"][1]) for one in series]
    assert any(math.isfinite(value) for value in values), values
    assert all(value >= 0 for value in values if math.isfinite(value))
    labels = set(re.findall(r"{{(\w+)}}", panel.legend))
    for one in series:
        assert set(one["metric"]) == labels or panel.expression.endswith("or vector(0)")


def test_the_units_of_panels_are_those_of_what_they_show() -> None:
    for panel in PANELS:
        seconds = "histogram_quantile" in panel.expression or re.match(r"max\S* .*_seconds", panel.expression)
        expected = {"s"} if seconds else set()
        expected |= {"bytes"} if "_bytes_" in panel.expression else set()
        expected |= {"reqps"} if "api_requests_total" in panel.expression else set()
        assert not expected or panel.unit in expected, panel


def test_two_replicas_count_every_run_once(seen: Seen) -> None:
    assert numbers(seen.answers["active"]) == {"": 1}
    assert numbers(seen.answers["runs"], "state") == STATES
    assert numbers(seen.answers["running"], "run") == {"slow-0": 1, "slow-1": 1, "waiting-0": 1}


def test_the_speed_of_a_run_and_its_time_per_image_are_what_its_driver_reports(seen: Seen) -> None:
    for speed in numbers(seen.answers["speed"], "run").values():
        assert speed == pytest.approx(10, rel=0.25)
    seconds, images = numbers(seen.answers["seconds"], "step"), numbers(seen.answers["images"])[""]
    per_image = {step: seconds[step] / images for step in ("read", "decode", "extract")}
    assert per_image == pytest.approx({"read": 0.05, "decode": 0.08, "extract": 0.04}, rel=0.05)


def test_healthy_operators_cause_no_alert(seen: Seen) -> None:
    """The run that waits for its store is about to."""
    assert seen.alerts == {"FeatxStoreUnreachable"}
    assert set(seen.rules.values()) == {""}, seen.rules
