"""The demo says what a run is waiting for, and runs a resource that any cluster accepts."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from examples.demo import inside
from tests.unit.operator.world import World
from tools.version import ROOT


def status(done: int, executors: tuple[str, str, str], waiting: str | None = None) -> dict[str, Any]:
    state, reason, message = executors
    condition = {"type": "ExecutorsReady", "status": state, "reason": reason, "message": message}
    progress = {"imagesDone": done, "imagesTotal": 77, "imagesPerSecond": 5.25, "waiting": waiting}
    return {"progress": progress, "conditions": [condition]}


READY = ("True", "AllReady", "")


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (status(0, ("False", "Waiting", "")), "0/77  waiting for executors"),
        (status(0, ("False", "Unschedulable", "no node")), "0/77  waiting for executors: no node"),
        (status(0, READY), "0/77  loading the models"),
        (status(8, READY), "8/77  5.2 images/s"),
        (status(8, READY, "the store does not respond"), "8/77  the store does not respond"),
    ],
)
def test_the_line_of_a_run_says_what_it_does_or_waits_for(shown: dict[str, Any], expected: str) -> None:
    assert inside._line(shown).split("] ")[1] == expected


def test_an_operator_with_default_settings_starts_the_demos_resource() -> None:
    world = World()
    world.body["spec"] = yaml.safe_load((ROOT / "examples" / "catalog.yaml").read_text())["spec"]
    world.converge()
    assert world.created == ["catalog-1-driver"]
