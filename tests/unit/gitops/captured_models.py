"""VisionModels and ClusterVisionModels at each stage, as `captured` has runs and schedules."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from featx_api.crd import CLUSTER_MODEL, MODEL, Kind
from featx_api.vision_model import VisionModel

from tests.unit.gitops.captured import Manifest, acted, manifest
from tests.unit.operator.test_models import GOOD, Lab, failure


def _model_of(kind: Kind, lab: Lab) -> Manifest:
    """A model as the API server has it."""
    wire = VisionModel.from_wire({part: lab.body[part] for part in ("metadata", "spec")}).to_wire()
    if kind.scope == "Cluster":
        del wire["metadata"]["namespace"]
    return manifest(kind.name, wire, lab.body.get("status") or kind.unseen)


def _checking() -> Lab:
    lab = Lab()
    lab.reconcile()
    lab.put(phase="Running").reconcile()
    return lab


def _ended(message: str, code: int = 0) -> Lab:
    lab = _checking()
    lab.end(message, code).reconcile()
    return lab


MODELS: Mapping[str, Callable[[], Lab]] = {
    "unseen": Lab,
    "checking": _checking,
    "store-unreachable": lambda: _ended(failure("StoreUnreachable", "http://s3.store.svc:8333 does not respond"), 1),
    "ready": lambda: _ended(GOOD),
    "changed": lambda: _ended(GOOD).change(licence="MIT"),
    "failed": lambda: _ended(
        failure("ModelDigestMismatch", "spec.model.sha256 is not the digest of s3://models/resnet.onnx"), 2
    ),
}


def models(kind: Kind) -> dict[str, Manifest]:
    """A model of a kind at each stage, by the stage's name."""
    return {name: _model_of(kind, lab()) for name, lab in MODELS.items()}


def model_files() -> dict[str, Manifest]:
    """Test data of health checks and actions, by path below the group's folder."""
    files: dict[str, Manifest] = {}
    for kind in (MODEL, CLUSTER_MODEL):
        stages = models(kind)
        acted_on = {name: stages[name] for name in ("ready", "failed")}
        acted_on["failed-retried"] = acted(stages["failed"], retry=1)
        files |= {f"{kind.name}/testdata/{name}.yaml": body for name, body in stages.items()}
        files |= {f"{kind.name}/actions/testdata/{name}.yaml": body for name, body in acted_on.items()}
    return files
