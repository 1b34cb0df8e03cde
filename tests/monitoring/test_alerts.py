"""Alerts fire when they should, and are silent otherwise, as promtool computes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import yaml

from tests.monitoring.dashboards import alerts, queries
from tests.monitoring.prometheus import promtool

HELD = 'featx_lease_held{namespace="featx-system", pod="%s"}'
OLDEST = 'featx_queue_oldest_seconds{namespace="%s"}'
REQUESTS = 'featx_api_requests_total{namespace="featx-system", verb="get", kind="pods", code="%s"}'
WAITING = 'featx_run_waiting{namespace="team", run="catalog", reason="%s"}'
LONGEST = 'featx_longest_reconcile_seconds{namespace="featx-system", pod="a"}'
ERRORS = 'featx_reconcile_errors_total{namespace="%s"}'

Series = Mapping[str, str]
#: Alert, a sample per minute of each series, a time, and the labels of those that fire then.
CASES: list[tuple[str, Series, str, list[str]]] = [
    ("FeatxNoActiveOperator", {HELD % "a": "1x60", HELD % "b": "0x60"}, "30m", []),
    ("FeatxNoActiveOperator", {HELD % "a": "1x10 _x50", HELD % "b": "0x10 1x50"}, "30m", []),
    ("FeatxNoActiveOperator", {HELD % "a": "1x10 0x50", HELD % "b": "0x60"}, "30m", [""]),
    ("FeatxNoActiveOperator", {HELD % "a": "1x10 _x50"}, "30m", [""]),  # all are gone
    ("FeatxNoActiveOperator", {}, "30m", [""]),
    ("FeatxNoActiveOperator", {HELD % "a": "1x10 0 1x50"}, "12m", []),  # one takes over
    # A pod of a tenant claims to be active.
    ("FeatxNoActiveOperator", {HELD % "a": "0x60", 'featx_lease_held{namespace="team"}': "5x60"}, "30m", [""]),
    ("FeatxRunsWaitForTheOperator", {OLDEST % "a": "0x60", OLDEST % "b": "20x60"}, "30m", []),
    ("FeatxRunsWaitForTheOperator", {OLDEST % "a": "0x60", OLDEST % "b": "0+60x60"}, "30m", ['namespace="b"']),
    ("FeatxRunsWaitForTheOperator", {OLDEST % "a": "0x20 300 300 0x40"}, "24m", []),
    ("FeatxWorkerIsStuck", {LONGEST: "0x10 0+60x60"}, "12m", []),
    ("FeatxWorkerIsStuck", {LONGEST: "0x10 0+60x60"}, "30m", [""]),
    ("FeatxWorkerIsStuck", {LONGEST: "0 30 0 20 1x60"}, "30m", []),
    ("FeatxStoreUnreachable", {WAITING % "StoreUnreachable": "1x60"}, "14m", []),
    (
        "FeatxStoreUnreachable",
        {WAITING % "StoreUnreachable": "1x60", WAITING % "Calibrating": "0x60"},
        "20m",
        ['namespace="team", run="catalog"'],
    ),
    ("FeatxStoreUnreachable", {WAITING % "StoreUnreachable": "1x20 _x40"}, "30m", []),  # the run has ended
    ("FeatxStoreUnreachable", {WAITING % "Calibrating": "1x60", WAITING % "StoreUnreachable": "0x60"}, "30m", []),
    ("FeatxReconcilesFail", {ERRORS % "a": "0+1x60", ERRORS % "b": "3x60"}, "40m", []),  # one a minute, with a back-off
    ("FeatxReconcilesFail", {ERRORS % "a": "0+6x60", ERRORS % "b": "0x60"}, "40m", ['namespace="a"']),
    ("FeatxRequestsFail", {REQUESTS % "200": "0+600x60", REQUESTS % "503": "0+6x60"}, "40m", []),
    ("FeatxRequestsFail", {REQUESTS % "200": "0+600x60", REQUESTS % "404": "0+600x60"}, "40m", []),
    ("FeatxRequestsFail", {REQUESTS % "200": "0+600x60", REQUESTS % "0": "0+100x60"}, "40m", [""]),
    ("FeatxRequestsFail", {REQUESTS % "500": "0+10x60"}, "40m", [""]),
    ("FeatxRequestsFail", {}, "40m", []),
]


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(yaml.safe_dump(alerts()))
    return path


def test_the_rules_are_valid(rules: Path) -> None:
    number = sum(len(group["rules"]) for group in alerts()["groups"])
    assert f"{number} rules found" in promtool("check", "rules", "--lint=all", "--lint-fatal", str(rules))


def test_every_alert_is_seen_firing_and_silent() -> None:
    names = {rule["alert"] for group in alerts()["groups"] for rule in group["rules"]}
    assert {name for name, _, _, firing in CASES if firing} == names
    assert {name for name, _, _, firing in CASES if not firing} == names


def test_alerts_fire_when_they_should(rules: Path) -> None:
    tests: list[dict[str, object]] = []
    for name, series, time, firing in CASES:
        selector = f'ALERTS{{alertname="{name}", alertstate="firing"}}'
        expected = [{"labels": f"{{{labels}}}", "value": 1} for labels in firing]
        query = f"max without (alertname, alertstate, severity) ({selector})"
        tests.append(
            {
                "name": f"{name}: {dict(series)} after {time}",
                "interval": "1m",
                "input_series": [{"series": one, "values": values} for one, values in series.items()],
                "promql_expr_test": [{"expr": query, "eval_time": time, "exp_samples": expected}],
            }
        )
    run(rules, tests)


def test_a_counter_that_appears_with_its_first_event_counts_it(rules: Path) -> None:
    (panel,) = (query for query in queries() if query.panel == "operator: Ended runs in the last hour")
    series = 'featx_ended_runs_total{namespace="team", result="%s", reason="%s", pod="%s"}'
    inputs = {
        series % ("Failed", "SourceEmpty", "a"): "_x90 1x90",  # the first of its kind, at 90 minutes
        series % ("Succeeded", "Completed", "a"): "10x90 12x90",  # two more
        series % ("Failed", "AccessDenied", "a"): "5x180",  # none
        series % ("Succeeded", "Completed", "b"): "_x100 3x80",  # by another replica
    }

    def after(minutes: int, succeeded: float, empty: float | None) -> dict[str, object]:
        expected = [("Failed", "AccessDenied", 0.0), ("Succeeded", "Completed", succeeded)]
        expected += [("Failed", "SourceEmpty", empty)] if empty is not None else []
        samples = [{"labels": f'{{result="{one}", reason="{why}"}}', "value": value} for one, why, value in expected]
        rounded = f"round({panel.expression}, 0.1)"
        return {"expr": rounded, "eval_time": f"{minutes}m", "exp_samples": samples}

    cases = [after(80, 0, None), after(95, 2, 1), after(120, 5, 1), after(175, 0, 0)]
    case: dict[str, object] = {"interval": "1m", "input_series": values(inputs), "promql_expr_test": cases}
    run(rules, [case])


def values(series: Series) -> list[dict[str, str]]:
    return [{"series": one, "values": text} for one, text in series.items()]


def run(rules: Path, tests: Sequence[Mapping[str, object]]) -> None:
    """Runs tests of promtool."""
    file = rules.parent / "tests.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": [*tests]}))
    promtool("test", "rules", str(file))
