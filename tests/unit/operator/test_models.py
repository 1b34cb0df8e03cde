"""What a model does: a simulated clock, one pod at a time, and an operator that may die after any step."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from featx_api.vision_model import ModelReport, VisionModelSpec, VisionModelStatus
from featx_operator.allowed import Allowed, Tenants
from featx_operator.decisions.model import DeleteCheck, ModelPlan, ObservedChecks, StartCheck, plan_model, report_of
from featx_operator.decisions.model_events import model_events
from featx_operator.model_pods import model_pod, pod_name
from featx_operator.objects import Key, Owner
from featx_operator.settings import Settings
from featx_operator.state.models import named_model
from featx_operator.state.observed import Exit, Pod, PodWaiting, Refusal
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.support.bad_resources import SHA256

START = datetime(2026, 11, 25, 12, tzinfo=UTC)
OWNER = Owner(Key("default", "resnet"), "m-1")
MODEL = {"onnx": "s3://models/resnet.onnx", "sha256": SHA256}
GRAPH = {"layers": 3, "parameters": 1200, "gflopPerImage": 1.5, "detector": True}
GOOD = json.dumps({"graph": GRAPH})


def failure(class_: str, message: str = "by the test", **more: Any) -> str:
    return json.dumps({"failure": {"class": class_, "message": message}, **more})


class Lab:
    """A model, and the pod that checks it."""

    def __init__(self, settings: Settings | None = None, **spec: Any) -> None:
        self.settings = settings or Settings()
        self.now = START
        self.pods: dict[str, Pod] = {}
        self.created = ""
        self.started = 0
        self.others = 0
        self.events: list[str] = []
        metadata = {"name": "resnet", "namespace": "default", "uid": "m-1", "generation": 1}
        self.body: dict[str, Any] = {"metadata": metadata, "spec": {"model": MODEL, **spec}}

    @property
    def status(self) -> VisionModelStatus:
        return VisionModelStatus.from_wire(self.body.get("status") or {})

    def condition(self, kind: str) -> tuple[str, str]:
        """Status and reason of a condition."""
        (found,) = [item for item in self.status.conditions if item.type == kind]
        return found.status, found.reason

    @property
    def ready(self) -> tuple[str, str]:
        return self.condition("Ready")

    @property
    def message(self) -> str:
        return next(item.message for item in self.status.conditions if item.type == "Ready")

    @property
    def pod(self) -> Pod:
        (pod,) = self.pods.values()
        return pod

    def reconcile(self, refusal: Refusal | None = None, steps: int = 100) -> ModelPlan:
        """Acts until there is nothing to do, and writes the status; dies after so many steps."""
        for _ in range(20):
            observed = ObservedChecks(tuple(self.pods.values()), self.created, refusal, self.others)
            decision = plan_model(self.body, observed, self.now, self.settings)
            for action in decision.actions:
                if (steps := steps - 1) < 0:
                    self.created = ""
                    return decision
                self._act(action)
            if not decision.actions and decision.status != self.status:
                if (steps := steps - 1) < 0:
                    self.created = ""
                    return decision
                self.events += [event.reason for event in model_events(self.status, decision.status)]
                self.body["status"] = decision.status.to_wire()
                self.created = self.created if decision.status.check and decision.status.check.pod_uid else ""
            elif not decision.actions and decision.requeue_after != 0:
                return decision
        raise AssertionError(f"never comes to rest: {decision}")

    def _act(self, action: StartCheck | DeleteCheck) -> None:
        if isinstance(action, DeleteCheck):
            assert self.pods[action.name].uid == action.uid
            del self.pods[action.name]
            return
        name = pod_name("resnet", self.body["metadata"]["generation"])
        if name not in self.pods:
            assert all(pod.ended for pod in self.pods.values()), "two checks at a time"
            self.started += 1
            self.pods[name] = Pod(name, f"p-{self.started}", 0, "model", "m-1", created=self.now)
            self.created = self.pods[name].uid

    def change(self, **spec: Any) -> Lab:
        self.body["spec"] |= spec
        self.body["metadata"]["generation"] += 1
        self.created = ""
        return self

    def advance(self, seconds: float) -> Lab:
        self.now += timedelta(seconds=seconds)
        return self

    def put(self, **changes: Any) -> Lab:
        self.pods[self.pod.name] = replace(self.pod, **changes)
        return self

    def end(self, message: str = "", code: int = 0, reason: str = "", **changes: Any) -> Lab:
        exit_ = Exit(code, reason, message, self.now)
        return self.put(phase="Succeeded" if code == 0 else "Failed", exit=exit_, **changes)


def test_a_generation_is_checked_once_and_its_pod_is_deleted() -> None:
    lab = Lab()
    lab.reconcile()
    assert (lab.ready, lab.condition("Reconciling")[0]) == (("False", "Pending"), "True")
    lab.put(phase="Running").reconcile()
    assert lab.ready == ("False", "Checking")
    assert lab.end(GOOD).reconcile().requeue_after is None
    assert lab.ready == ("True", "Checked")
    assert lab.message == "3 layers, 1,200 parameters, 1.5 GFLOP per image"
    assert (lab.condition("Reconciling")[0], lab.condition("Stalled")[0]) == ("False", "False")
    assert (lab.pods, lab.started, lab.events) == ({}, 1, ["Checked"])
    assert lab.status.graph and lab.status.graph.parameters == 1200
    lab.advance(1e6).reconcile()
    assert lab.started == 1
    lab.change(licence="MIT").reconcile()
    assert (lab.started, lab.ready) == (2, ("False", "Pending"))
    assert lab.status.observed_generation == 2


@pytest.mark.parametrize("class_", ["ModelDigestMismatch", "ModelInvalid", "ModelNotFound", "AccessDenied"])
def test_what_the_owner_has_to_correct_stalls_until_the_spec_changes(class_: str) -> None:
    lab = Lab()
    lab.reconcile()
    lab.end(failure(class_, "spec.model.sha256 is wrong", retryable=True), 2).reconcile()
    assert (lab.ready, lab.condition("Stalled")) == (("False", class_), ("True", class_))
    assert "spec.model.sha256" in lab.message
    assert lab.events == [class_]
    lab.advance(1e6).reconcile()
    assert lab.started == 1
    lab.change(retry=1).reconcile()
    lab.end(GOOD).reconcile()
    assert lab.ready == ("True", "Checked")


def test_a_store_that_does_not_respond_is_tried_again_after_growing_waits() -> None:
    lab = Lab()
    waits = []
    for _ in range(4):
        lab.reconcile()
        waits.append(lab.end(failure("StoreUnreachable"), 1).reconcile().requeue_after)
        assert lab.ready == ("False", "StoreUnreachable")
        assert lab.condition("Reconciling")[0] == "True"
        assert lab.pods == {}
        lab.advance(waits[-1] or 0)
    assert waits == [10, 20, 40, 80]
    lab.reconcile()
    lab.end(GOOD).reconcile()
    assert lab.ready == ("True", "Checked")


HOSTILE = {
    "nothing": "",
    "not JSON": "\x1b[2J",
    "another document": json.dumps({"result": "Succeeded"}),
    "both": json.dumps({"graph": GRAPH, "failure": {"class": "Internal", "message": "x"}}),
    "negative": json.dumps({"graph": GRAPH | {"layers": -1}}),
    "beyond all numbers": '{"graph": {"layers": 1e400, "parameters": 1, "gflopPerImage": 1}}',
    "not a number": '{"graph": {"layers": 1, "parameters": 1, "gflopPerImage": NaN}}',
    "a name without end": json.dumps({"graph": GRAPH | {"name": "x" * 3000}}),
    "many outputs": json.dumps({"graph": GRAPH | {"outputs": [{"name": "x", "shape": [1]}] * 17}}),
    "deep": "[" * 2000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_report_that_is_none_fails_the_check_after_three_times(text: str) -> None:
    lab = Lab()
    for _ in range(3):
        lab.advance(1000).reconcile()
        lab.end(text).reconcile()
    assert (lab.started, lab.ready) == (3, ("False", "CheckFailed"))
    assert lab.condition("Stalled") == ("True", "CheckFailed")
    assert "spec.retry" in lab.message


def test_what_a_report_says_is_shown_without_control_characters() -> None:
    lab = Lab()
    lab.reconcile()
    lab.end(failure("ModelInvalid", "a\x1b[31m\nb\u202e" + "c" * 3000), 2).reconcile()
    assert lab.message.isprintable() and len(lab.message) <= 1024
    lab = Lab()
    lab.reconcile()
    lab.end(json.dumps({"graph": GRAPH | {"name": "\x1b]0;x\x07"}})).reconcile()
    assert lab.status.graph and lab.status.graph.name.isprintable()


@pytest.mark.parametrize("text", [failure("Succeeded\n", "trust me"), GOOD])
def test_neither_an_unknown_class_nor_success_with_a_failing_exit_code_counts(text: str) -> None:
    lab = Lab()
    lab.reconcile()
    lab.end(text, 2).reconcile()
    assert lab.ready == ("False", "CheckFailed")


def test_limits_of_the_pod_are_reported_with_the_way_out() -> None:
    lab = Lab()
    lab.reconcile()
    lab.end(code=137, reason="OOMKilled").reconcile()
    assert lab.ready == ("False", "OutOfMemory")
    assert "memory limit of 1536Mi: ask the platform team to raise modelChecks.memory" in lab.message
    lab = Lab()
    lab.reconcile()
    lab.end(code=143, disruption="DeadlineExceeded").reconcile()
    assert lab.ready == ("False", "DeadlineExceeded")


def test_a_pod_that_is_lost_is_replaced() -> None:
    lab = Lab()
    lab.reconcile()
    lab.pods.clear()
    lab.reconcile()
    assert lab.ready == ("False", "CheckLost")
    lab.advance(10).reconcile()
    assert lab.started == 2
    lab.end(code=137, disruption="TaintManagerEviction").reconcile()
    assert lab.ready == ("False", "CheckLost")


def test_why_a_pod_waits_is_reported() -> None:
    lab = Lab()
    lab.reconcile()
    lab.put(scheduled=True, waiting=PodWaiting("ErrImagePull", "no such image")).reconcile()
    assert lab.ready == ("False", "ImageUnavailable")
    assert lab.events == ["ImageUnavailable"]
    lab.put(waiting=PodWaiting("Unschedulable", "0/1 nodes")).reconcile()
    assert lab.ready == ("False", "Unschedulable")


@pytest.mark.parametrize(
    ("refusal", "reason", "stalled"),
    [
        (Refusal("QuotaExceeded", "exceeded quota: pods"), "QuotaExceeded", "False"),
        (Refusal("SecretNotFound", "Secret store not found"), "SecretNotFound", "False"),
        (Refusal("SecretNotAllowed", "Secret store lacks the label"), "SecretNotAllowed", "True"),
        (Refusal("DriverRefused", "violates PodSecurity"), "CheckRefused", "True"),
    ],
)
def test_a_refused_pod_is_reported_and_tried_again(refusal: Refusal, reason: str, stalled: str) -> None:
    lab = Lab()
    decision = lab.reconcile(refusal)
    assert (lab.ready, lab.condition("Stalled")[0]) == (("False", reason), stalled)
    assert decision.requeue_after and decision.requeue_after <= 30
    lab.reconcile()
    assert lab.started == 1


def test_four_models_of_a_namespace_are_checked_at_a_time() -> None:
    lab = Lab()
    lab.others = 4
    lab.reconcile()
    assert (lab.started, lab.ready) == (0, ("False", "Queued"))
    lab.others = 3
    lab.reconcile()
    assert lab.started == 1


def test_what_the_namespace_may_not_use_is_not_read() -> None:
    allowed = Tenants(allowed=Allowed(stores=("s3://team/*", "claim://*")))
    for model, field in (
        (MODEL, "spec.model.onnx"),
        (MODEL | {"onnx": "file:///etc/passwd"}, "spec.model.onnx"),
        (MODEL | {"onnx": "package:evil==1/x.onnx"}, "spec.model.onnx"),
        (MODEL | {"onnx": "s3://team/a", "s3": {"endpoint": "http://evil.test"}}, "spec.model.s3.endpoint"),
        (MODEL | {"onnx": "s3://team/a", "s3": {"podIdentity": True}}, "spec.model.s3.podIdentity"),
    ):
        lab = Lab(Settings(allowed=allowed), model=model)
        lab.reconcile()
        assert (lab.started, lab.ready) == (0, ("False", "NotAllowed"))
        assert lab.message.startswith(field)
        lab.settings = Settings(allowed=Tenants(allowed=Allowed(pod_identity=True)))
        lab.reconcile()
        assert lab.started == ("file" not in str(model) and "package" not in str(model))


def test_a_spec_of_another_version_is_reported() -> None:
    lab = Lab(unheard={"of": 1})
    lab.reconcile()
    assert lab.ready == ("False", "SpecInvalid")
    assert lab.message == "spec.unheard: unknown field"


def test_a_foreign_pod_of_that_name_is_left_alone_and_a_forged_one_replaced() -> None:
    lab = Lab()
    name = pod_name("resnet", 1)
    forged = Pod(name, "evil", 0, "model", "m-1", phase="Succeeded", exit=Exit(0, "", GOOD))
    lab.pods[name] = replace(forged, owner="somebody")
    lab.reconcile()
    assert (lab.ready, lab.pod.uid) == (("False", "NameTaken"), "evil")
    lab.pods[name] = forged
    lab.reconcile()
    assert lab.pod.uid == "p-1"
    assert lab.ready == ("False", "Pending")


def test_a_new_generation_stops_the_check_of_the_last_one() -> None:
    lab = Lab()
    lab.reconcile()
    lab.change(layer="pool").reconcile()
    assert list(lab.pods) == [pod_name("resnet", 2)]


def test_runs_see_what_a_model_says_only_if_this_generation_was_checked() -> None:
    lab = Lab(layer="pool")
    lab.reconcile()
    lab.end(GOOD).reconcile()
    model = named_model(lab.body)
    assert (model.ready, model.detector) == (True, True)
    assert model.net and model.net.layer == "pool"
    lab.change(layer="fc")
    model = named_model(lab.body)
    assert (model.ready, model.problem) == (False, "it has not been checked yet")
    lab.reconcile()
    lab.end(failure("ModelInvalid", "no layer fc"), 2).reconcile()
    model = named_model(lab.body)
    assert (model.ready, model.stalled, model.problem) == (False, True, "ModelInvalid: no layer fc")


def test_the_pod_is_restricted_and_has_no_token() -> None:
    store = {"endpoint": "http://s3.test", "secretRef": {"name": "store"}}
    lab = Lab(model=MODEL | {"onnx": "claim://nets/$(PATH).onnx", "s3": store})
    spec = VisionModelSpec.from_wire(lab.body["spec"])
    pod = model_pod(OWNER, 1, spec, Allowed(service_accounts=("team",)), Settings())
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["serviceAccountName"] == "team"
    assert pod["spec"]["activeDeadlineSeconds"] == 600
    (container,) = pod["spec"]["containers"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "$$(PATH)" in container["env"][0]["value"]
    assert all(mount.get("readOnly") for mount in container["volumeMounts"][2:])
    assert {volume["name"] for volume in pod["spec"]["volumes"]} == {"tmp", "work", "secret-0", "claim-0"}
    cluster = Owner(Key("", "resnet"), "m-1")
    assert model_pod(cluster, 1, spec, Allowed(), Settings(cluster_models="nets"))["metadata"]["namespace"] == "nets"


STEPS = st.one_of(
    st.tuples(st.just("advance"), st.integers(1, 500)),
    st.tuples(st.just("end"), st.sampled_from([*HOSTILE.values(), GOOD, failure("Internal"), failure("ModelInvalid")])),
    st.tuples(st.just("die"), st.integers(0, 3)),
    st.tuples(st.just("lose"), st.none()),
    st.tuples(st.just("change"), st.none()),
)


@hypothesis_settings(max_examples=30, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=15))
def test_a_check_ends_whatever_happens_and_ready_means_that_its_own_pod_said_so(steps: list[tuple[str, Any]]) -> None:
    lab = Lab()
    said: set[int] = set()
    for kind, value in steps:
        if kind == "advance":
            lab.advance(value)
        elif kind == "end" and lab.pods and not lab.pod.ended:
            lab.end(value, 0 if value == GOOD else 1)
            if value == GOOD:
                said.add(lab.body["metadata"]["generation"])
        elif kind == "lose":
            lab.pods.clear()
        elif kind == "change":
            lab.change(retry=lab.body["metadata"]["generation"])
        lab.reconcile(steps=value if kind == "die" else 100)
        if lab.status.conditions and lab.ready[0] == "True":
            assert lab.status.observed_generation in said
    for _ in range(12):
        lab.advance(400).reconcile()
        if lab.pods:
            lab.end(GOOD).reconcile()
    assert lab.status.check and lab.status.check.result
    assert lab.pods == {}


@hypothesis_settings(max_examples=80, deadline=None)
@given(st.text(max_size=300) | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_any_text_is_a_report_or_none(text: str) -> None:
    report = report_of(Pod("a", "b", 0, "model", phase="Succeeded", exit=Exit(0, "", text)))
    assert report is None or isinstance(report, ModelReport)
