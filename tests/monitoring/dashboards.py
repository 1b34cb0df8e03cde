"""The panels of the chart's dashboards, and the chart's alerts, as a Prometheus takes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tools import kustomize

FOLDER = Path(__file__).resolve().parents[2] / "charts/featx/dashboards"
#: What Grafana puts in place of variables: all namespaces and runs, and windows for a scrape every two seconds.
VARIABLES = {"$namespace": ".*", "$run": ".*", "$__rate_interval": "20s", "$window": "20s"}


class Query(NamedTuple):
    """A query of a panel.

    Attributes:
        panel: The dashboard's file and the panel's title.
        expression: In PromQL, with values for variables.
        legend: Text with labels in double braces.
        unit: Of the panel.
    """

    panel: str
    expression: str
    legend: str
    unit: str


def queries() -> Iterator[Query]:
    """Yields the queries of all panels."""
    for path in sorted(FOLDER.glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                expression = target["expr"]
                for name, value in VARIABLES.items():
                    expression = expression.replace(name, value)
                unit = panel["fieldConfig"]["defaults"]["unit"]
                yield Query(f"{path.stem}: {panel['title']}", expression, target["legendFormat"], unit)


def alerts() -> dict[str, Any]:
    """The groups of the chart's PrometheusRule."""
    text = kustomize.template("featx", {"metrics": {"prometheusRule": {"create": True}}})
    (rule,) = (item for item in yaml.safe_load_all(text) if item and item["kind"] == "PrometheusRule")
    return dict(rule["spec"])
