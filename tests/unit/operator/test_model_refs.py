"""Runs that refer to models: they wait for them, pin them when they start, and keep to that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from featx_api.contract import JobSpec
from featx_api.nets import NamedNet
from featx_operator import manifests
from featx_operator.allowed import Allowed, Tenants
from featx_operator.decisions.events import events_between
from featx_operator.objects import resource_of
from featx_operator.settings import Settings
from featx_operator.state.models import NamedModel

from tests.support.bad_resources import SHA256
from tests.unit.operator.world import World, running

REF = {"kind": "VisionModel", "name": "resnet"}
NET = NamedNet.from_wire(
    {
        "model": {"onnx": "s3://models/resnet.onnx", "sha256": SHA256, "s3": {"secretRef": {"name": "models"}}},
        "input": {"mean": [1, 2, 3], "channels": "RGB"},
        "layer": "pool",
    }
)
READY = NamedModel("VisionModel", "resnet", "m-1", 1, NET, ready=True, detector=True)


def referring(settings: Settings | None = None, **spec: Any) -> World:
    """A run whose extractor is a reference."""
    world = World(settings, extractor={"modelRef": REF}, **spec)
    del world.body["spec"]["detector"]
    return world


def job(world: World) -> JobSpec:
    """The job file of the run's attempt, as the driver reads it."""
    resource = resource_of(world.body).model_copy(update={"status": world.status})
    return JobSpec.from_json(manifests.config_map(resource, max(world.status.attempt, 1))["data"]["job.json"])


def test_a_run_waits_for_a_model_without_having_started() -> None:
    world = referring()
    world.converge()
    assert world.status.state == "ModelNotReady"
    assert world.condition("Succeeded").message.startswith("spec.extractor.modelRef: VisionModel resnet not found in")
    assert world.state("Reconciling") == ("True", "ModelNotReady")
    assert (world.created, world.status.start_time, world.status.attempt) == ([], None, 0)
    world.models["extractor"] = replace(READY, ready=False, problem="Checking: resnet-1-model reads the files")
    world.advance(1e6).converge()
    assert "reads the files" in world.condition("Succeeded").message
    assert world.status.start_time is None
    world.models["extractor"] = READY
    world.converge()
    assert world.created == ["catalog-1-driver"]
    assert world.status.state == "Pending"


def test_a_wait_is_one_event() -> None:
    world = referring()
    events: list[str] = []
    for model in (None, replace(READY, ready=False, problem="Checking"), READY):
        before = world.status
        world.models = {"extractor": model} if model else {}
        world.converge()
        events += [event.reason for event in events_between(before, world.status)]
    assert events.count("ModelNotReady") == 1


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (replace(READY, ready=False, stalled=True, problem="ModelDigestMismatch: sha256 is"), "ModelDigestMismatch"),
        (replace(READY, net=None), "does not understand"),
        (replace(READY, net=NET.model_copy(update={"layer": None})), "spec.extractor.layer is missing"),
    ],
)
def test_what_somebody_has_to_correct_stalls_the_run(model: NamedModel, text: str) -> None:
    world = referring()
    world.models["extractor"] = model
    world.converge()
    assert world.state("Stalled") == ("True", "ModelNotReady")
    assert text in world.condition("Stalled").message
    world.models["extractor"] = READY
    world.converge()
    assert world.state("Stalled")[0] == "False"
    assert world.created == ["catalog-1-driver"]


def test_a_detector_must_be_one() -> None:
    world = World(detector={"modelRef": REF})
    world.models["detector"] = replace(READY, detector=False)
    world.converge()
    assert "is no SSD" in world.condition("Succeeded").message


def test_models_of_the_cluster_are_a_switch() -> None:
    world = referring()
    world.body["spec"]["extractor"] = {"modelRef": {"kind": "ClusterVisionModel", "name": "resnet"}}
    world.models["extractor"] = replace(READY, kind="ClusterVisionModel")
    world.converge()
    assert "clusterModels.enabled" in world.condition("Stalled").message
    world.settings = Settings(cluster_models="nets")
    world.converge()
    assert world.created == ["catalog-1-driver"]


def test_the_job_file_has_what_the_model_said() -> None:
    world = referring()
    world.models["extractor"] = READY
    world.converge()
    extractor = job(world).spec.extractor
    assert (extractor.model, extractor.input, extractor.layer) == (NET.model, NET.input, "pool")
    assert extractor.model_ref is None
    assert "models" in resource_of(world.body).spec.secret_names()
    (pin,) = world.status.models
    assert (pin.field, pin.kind, pin.name, pin.uid, pin.generation) == ("extractor", "VisionModel", "resnet", "m-1", 1)


def test_the_layer_of_the_run_comes_first() -> None:
    world = referring()
    world.body["spec"]["extractor"] = {"modelRef": REF, "layer": "fc7"}
    world.models["extractor"] = READY
    world.converge()
    assert job(world).spec.extractor.layer == "fc7"


def test_a_model_without_a_store_is_not_read_where_the_source_is() -> None:
    world = referring()
    bare = NET.model_copy(update={"model": NET.model.model_copy(update={"s3": None})})
    world.models["extractor"] = replace(READY, net=bare)
    world.converge()
    spec = job(world).spec
    assert spec.source.s3 and spec.source.s3.endpoint
    assert spec.extractor.described.s3 and spec.extractor.described.s3.endpoint is None


def test_all_attempts_compute_with_what_was_pinned_and_a_change_is_reported_once() -> None:
    world = referring()
    world.models["extractor"] = READY
    world.converge()
    world.run().converge()
    first = job(world)
    changed = NET.model_copy(update={"layer": "fc"})
    world.models["extractor"] = replace(READY, generation=2, net=changed, ready=False)
    world.converge()
    assert world.state("Accepted") == ("True", "SpecChangeIgnored")
    assert "VisionModel resnet has changed since the run started" in world.condition("Accepted").message
    assert world.state("Succeeded") == ("Unknown", "Running")
    world.fail().converge()
    world.advance(60).converge()
    assert world.created[-1] == "catalog-2-driver"
    assert job(world).spec == first.spec
    world.run().converge()
    world.models.clear()  # deleted
    world.succeed().converge()
    assert world.status.state == "Succeeded"


def test_a_new_generation_that_says_the_same_is_no_change() -> None:
    world = referring()
    world.models["extractor"] = READY
    world.converge()
    world.run().converge()
    world.models["extractor"] = replace(READY, generation=2)
    world.converge()
    assert world.state("Accepted") == ("True", "SpecValid")


def test_a_run_may_not_use_a_store_by_reference_that_it_may_not_name() -> None:
    world = referring(Settings(allowed=Tenants(allowed=Allowed(stores=("s3://images/*", "s3://features/*", "http*")))))
    world.models["extractor"] = READY
    world.converge()
    assert world.state("Accepted") == ("False", "NotAllowed")
    assert "s3://models/resnet.onnx" in world.condition("Accepted").message
    assert world.created == []


def test_a_run_that_waits_for_a_model_can_be_suspended_and_cancelled() -> None:
    world = referring(suspend=True)
    world.converge()
    assert world.status.state == "Suspended"
    world.change(suspend=False).converge()
    assert world.status.state == "ModelNotReady"
    world.change(cancel=True).converge()
    assert world.status.state == "Cancelled"
    assert world.created == []


def test_runs_without_references_pin_nothing() -> None:
    assert running().status.models == []
