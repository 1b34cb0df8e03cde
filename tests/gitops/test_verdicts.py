"""At each stage of a resource, Argo CD, kstatus and Flux say the right word."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, run_state_machine_as_test

from tests.gitops.judge import Judge, Verdict
from tests.unit.gitops.captured import CUSTOMIZATIONS, Manifest, runs, schedules
from tests.unit.operator.test_plan_properties import RunOfOneResource

RUNS, SCHEDULES = runs(), schedules()
WORKING = ("Progressing", "InProgress", "InProgress")
FAILED = ("Degraded", "Failed", "Failed")
DONE = ("Healthy", "Current", "Current")
# Argo CD's health, kstatus alone, and Flux with the expressions.
OF_RUNS = {
    **dict.fromkeys(("unseen", "pending", "queued", "unschedulable", "running", "changed", "backing-off"), WORKING),
    **dict.fromkeys(("suspending", "retried"), WORKING),
    **dict.fromkeys(("suspended", "deactivated"), ("Suspended", "Current", "InProgress")),
    **dict.fromkeys(("not-allowed", "failed", "backoff-limit-exceeded", "cancelled"), FAILED),
    "succeeded": DONE,
    # Both compare generations of two clusters.
    "succeeded-elsewhere": ("Healthy", "InProgress", "InProgress"),
}
OF_SCHEDULES = {
    **dict.fromkeys(("unseen", "changed"), WORKING),
    **dict.fromkeys(("scheduled", "started", "run-active", "run-failed", "suspended"), DONE),
    "run-refused": ("Degraded", "InProgress", "InProgress"),
    "invalid": FAILED,
}
OF_MODELS = {
    **dict.fromkeys(("unseen", "checking", "store-unreachable", "changed"), WORKING),
    "ready": DONE,
    "failed": FAILED,
}


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    """The tools."""
    started = Judge()
    yield started
    started.close()


def words(verdict: Verdict) -> tuple[str, str, str]:
    assert not verdict.error
    return verdict.health, verdict.kstatus, verdict.flux


def test_a_run_at_each_stage(judge: Judge) -> None:
    assert {name: words(judge.verdict(body)) for name, body in RUNS.items()} == OF_RUNS


def test_a_schedule_at_each_stage(judge: Judge) -> None:
    assert {name: words(judge.verdict(body)) for name, body in SCHEDULES.items()} == OF_SCHEDULES


@pytest.mark.parametrize("kind", ["VisionModel", "ClusterVisionModel"])
def test_a_model_at_each_stage(judge: Judge, kind: str) -> None:
    captured = (CUSTOMIZATIONS / kind / "testdata").glob("*.yaml")
    assert {path.stem: words(judge.verdict(yaml.safe_load(path.read_text()))) for path in captured} == OF_MODELS


def test_a_resource_without_any_status_is_not_done(judge: Judge) -> None:
    """As from an API server with an older CRD, which has no default of the status."""
    for body in (RUNS["unseen"], SCHEDULES["unseen"]):
        assert judge.verdict({key: part for key, part in body.items() if key != "status"}).health == "Progressing"


def test_a_message_of_any_length_and_script_is_passed_on(judge: Judge) -> None:
    text = 'не "найдено" \\ %s \u202e' + "x" * 4000
    body = copy.deepcopy(RUNS["failed"])
    for condition in body["status"]["conditions"]:
        condition["message"] = text
    assert judge.verdict(body).message == f"Failed:ModelInvalid: {text}"


def parts(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from parts(value, (*path, key))


def without(body: Manifest, path: tuple[Any, ...]) -> Manifest:
    copied = copy.deepcopy(body)
    node: Any = copied
    for key in path[:-1]:
        node = node[key]
    del node[path[-1]]
    return copied


REQUIRED = ("type", "status", "reason")  # by the CRD, of each condition
STATUSES = [
    (body, path)
    for body in (*RUNS.values(), *SCHEDULES.values())
    for path in parts(body["status"])
    if path[-1] not in REQUIRED
]


@given(st.sampled_from(STATUSES))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_part_of_a_status_is_needed(judge: Judge, taken: tuple[Manifest, tuple[Any, ...]]) -> None:
    """Whatever is missing, as with an operator of another version, the scripts run, and nothing becomes Healthy."""
    body, path = taken
    whole, rest = judge.verdict(body), judge.verdict(without(body, ("status", *path)))
    assert rest.health in ("Healthy", "Progressing", "Degraded", "Suspended")
    assert rest.health != "Healthy" or whole.health == "Healthy" or body["kind"] == "FeatureExtractionSchedule"


class JudgedRun(RunOfOneResource):
    """Random lives of a run, each stage of which the tools see."""

    judge: Judge

    @invariant()
    def the_tools_agree_with_the_operator(self) -> None:
        world = self.world
        seen = {"metadata": {"resourceVersion": "1"}, "apiVersion": "featx.dev/v1alpha1", "kind": "FeatureExtraction"}
        body = {**seen, **world.body, "status": world.body.get("status") or RUNS["unseen"]["status"]}
        verdict = self.judge.verdict(body)
        assert not verdict.error
        assert verdict.message
        observed = world.status.observed_generation == world.body["metadata"]["generation"]
        ends = [condition.status for condition in world.status.conditions if condition.type == "Succeeded"]
        end = ends[0] if ends and observed else "Unknown"
        assert (verdict.health == "Healthy") == (verdict.flux == "Current") == (end == "True")
        assert (verdict.health == "Degraded") == (verdict.kstatus == "Failed") == (verdict.flux == "Failed")
        if verdict.health in ("Healthy", "Suspended"):
            assert verdict.kstatus == "Current"
        elif verdict.health == "Progressing":
            assert verdict.kstatus == "InProgress"
        if not observed:
            assert verdict.health == "Progressing"
        actions = verdict.actions or []
        assert ("retry" in actions) == (ends == ["False"] or world.status.next_attempt_time is not None)
        assert not {"suspend", "resume"} <= set(actions)
        if ends == ["True"]:
            assert not actions


def test_in_random_lives_the_tools_never_contradict_the_operator(judge: Judge) -> None:
    JudgedRun.judge = judge
    patient = settings(
        max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    run_state_machine_as_test(JudgedRun, settings=patient)  # type: ignore[no-untyped-call]
