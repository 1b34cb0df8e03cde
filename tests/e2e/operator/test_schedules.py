"""Schedules as their users see them. Each starts a run every minute, or when the annotation asks for one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes import client

from tests.e2e.operator.harness import NAMESPACE, Operator, Run, kubectl, scripted
from tests.e2e.polling import eventually

TWO_MINUTES = 130.0
YEARLY = "0 0 1 1 *"


class Schedule:
    """One schedule, as the API server has it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._resources: Any = client.CustomObjectsApi()

    @property
    def status(self) -> dict[str, Any]:
        arguments = ("featx.dev", "v1alpha1", NAMESPACE, "featureextractionschedules", self.name)
        return dict(self._resources.get_namespaced_custom_object(*arguments).get("status") or {})

    def ready(self) -> tuple[str, str]:
        """Status and reason of the condition Ready."""
        found = [item for item in self.status.get("conditions", []) if item["type"] == "Ready"]
        return (found[0]["status"], found[0]["reason"]) if found else ("", "")

    def runs(self) -> list[str]:
        """The names of its runs."""
        labels = f"featx.dev/schedule={self.name}"
        arguments = ("featx.dev", "v1alpha1", NAMESPACE, "featureextractions")
        items = self._resources.list_namespaced_custom_object(*arguments, label_selector=labels)["items"]
        return sorted(item["metadata"]["name"] for item in items)

    def run_now(self, value: str) -> None:
        kubectl("annotate", "fxs", self.name, f"featx.dev/run-now={value}", "--overwrite")

    def change(self, **spec: Any) -> None:
        kubectl("patch", "fxs", self.name, "--type=merge", "--patch", json.dumps({"spec": spec}))


@pytest.fixture
def schedule(operator: Operator, request: pytest.FixtureRequest) -> Iterator[Callable[..., Schedule]]:
    """Applies schedules, named after the test, and deletes them afterwards."""
    name = request.node.originalname.removeprefix("test_").replace("_", "-")[:36].strip("-")
    names: list[str] = []

    def apply(script: str, **spec: Any) -> Schedule:
        names.append(f"{name}-{len(names)}")
        resource = {
            "apiVersion": "featx.dev/v1alpha1",
            "kind": "FeatureExtractionSchedule",
            "metadata": {"name": names[-1], "namespace": NAMESPACE},
            "spec": {"schedule": YEARLY, "template": {"spec": scripted("x", script)["spec"]}, **spec},
        }
        kubectl("apply", "--filename=-", stdin=resource)
        return Schedule(names[-1])

    yield apply
    for one in names:
        kubectl("delete", "fxs", one, "--ignore-not-found", "--wait=false")


def test_each_minute_has_a_run(schedule: Callable[..., Schedule]) -> None:
    minutely = schedule("succeed 1", schedule="* * * * *")
    eventually(lambda: len(minutely.runs()) == 2, "two runs", TWO_MINUTES)
    first = Run(minutely.runs()[0])
    first.until("Succeeded", "True")
    assert first.body["spec"]["output"]["mode"] == "incremental"
    eventually(lambda: minutely.status.get("lastSuccessfulTime"), "lastSuccessfulTime")


def test_run_now_starts_one_run_for_each_value(schedule: Callable[..., Schedule]) -> None:
    yearly = schedule("succeed 1", suspend=True, successfulHistoryLimit=1)
    eventually(lambda: yearly.ready() == ("True", "Suspended"), "Suspended")
    yearly.run_now("a")
    eventually(lambda: yearly.status.get("lastSuccessfulTime"), "a success")
    (first,) = yearly.runs()
    yearly.run_now("b")
    eventually(lambda: len(yearly.runs()) == 1 and first not in yearly.runs(), "the first is deleted", TWO_MINUTES)
    assert yearly.status["lastRunNow"] == "b"


def test_forbid_waits_and_replace_deletes(schedule: Callable[..., Schedule]) -> None:
    yearly = schedule("forever", concurrencyPolicy="Forbid")
    yearly.run_now("a")
    eventually(lambda: yearly.status.get("activeRuns") == 1, "an active run")
    (first,) = yearly.runs()
    yearly.run_now("b")
    eventually(lambda: yearly.ready() == ("True", "RunActive"), "RunActive")
    assert yearly.runs() == [first]
    yearly.change(concurrencyPolicy="Replace")
    eventually(lambda: len(yearly.runs()) == 1 and yearly.runs() != [first], "the other run")


def test_a_schedule_without_meaning_says_so(schedule: Callable[..., Schedule]) -> None:
    wrong = schedule("succeed 1", timeZone="Europe/Atlantis")
    eventually(lambda: wrong.ready() == ("False", "InvalidSchedule"), "InvalidSchedule")


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"schedule": "* * * *"}, "spec.schedule"),
        ({"separateOutputs": True}, "separateOutputs"),
        ({"template": {"metadata": {"labels": {"featx.dev/uid": "x"}}}}, "featx.dev/"),
    ],
)
def test_the_api_server_refuses_it(kubeconfig: object, spec: dict[str, Any], text: str) -> None:
    template = {"spec": scripted("x", "succeed 1")["spec"], **spec.pop("template", {})}
    resource = {
        "apiVersion": "featx.dev/v1alpha1",
        "kind": "FeatureExtractionSchedule",
        "metadata": {"name": "refused", "namespace": NAMESPACE},
        "spec": {"schedule": YEARLY, "template": template, **spec},
    }
    outcome = kubectl("apply", "--filename=-", stdin=resource, check=False)
    assert outcome.returncode != 0 and text in outcome.stderr
