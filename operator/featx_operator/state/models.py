"""VisionModels and ClusterVisionModels as decisions need them, and the last known version of each.

Both kinds are stored under one key: a model of the cluster has no namespace. What a model says is bounded by its CRD;
names of classes are not stored, since no decision needs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from featx_api.nets import ModelRef, NamedNet
from featx_api.spec import Part
from featx_api.status import PinnedModel
from featx_api.vision_model import CLUSTER_KIND, VISION_MODEL_KIND, VisionModelSpec, VisionModelStatus
from pydantic import ValidationError

from featx_operator.objects import METADATA, Body, Key, Owner, controller_of

KINDS = (VISION_MODEL_KIND, CLUSTER_KIND)


@dataclass(frozen=True)
class NamedModel:
    """A model that a run refers to.

    Attributes:
        net: What it says, or None if this operator does not understand it.
        ready: Whether what it says has been checked.
        stalled: Whether nothing changes that before somebody changes the model.
        problem: Why it is not ready, as its condition Ready says.
        detector: Whether it is an SSD.
    """

    kind: str
    name: str
    uid: str
    generation: int
    net: NamedNet | None
    ready: bool = False
    stalled: bool = False
    problem: str = ""
    detector: bool = False


def model_key(body: Body) -> Key:
    """The key of a model."""
    return Key(body["metadata"].get("namespace") or "", body["metadata"]["name"])


def kind_of(key: Key) -> str:
    """The kind of the model with this key."""
    return VISION_MODEL_KIND if key.namespace else CLUSTER_KIND


def key_of_ref(ref: ModelRef, namespace: str) -> Key:
    """The key of the model that a run of a namespace refers to."""
    return Key("" if ref.kind == CLUSTER_KIND else namespace, ref.name)


def model_owner(body: Body) -> Owner:
    """A model as the owner of its pod."""
    return Owner(model_key(body), str(body["metadata"]["uid"]))


def claimed_model(pod: Body) -> Owner | None:
    """The model that a pod names as its controller, or None. Anybody may write that."""
    controller = controller_of(pod)
    if controller is None or controller.kind not in KINDS:
        return None
    namespace = "" if controller.kind == CLUSTER_KIND else pod["metadata"]["namespace"]
    return Owner(Key(namespace, controller.name), controller.uid)


def model_status(body: Body) -> VisionModelStatus:
    """The status of a model; all defaults before the first write."""
    return VisionModelStatus.from_wire(body.get("status") or {})


def reduced_model(body: Body) -> Body:
    """A model without what no decision needs."""
    metadata = {name: body["metadata"][name] for name in METADATA if name in body["metadata"]}
    spec: dict[str, Any] = {name: value for name, value in (body.get("spec") or {}).items() if name != "classes"}
    return {"metadata": metadata, "spec": spec, **({"status": body["status"]} if body.get("status") else {})}


def named_model(body: Body) -> NamedModel:
    """A model as runs see it."""
    metadata, status = body["metadata"], model_status(body)
    conditions = {condition.type: condition for condition in status.conditions}
    ready, stalled = conditions.get("Ready"), conditions.get("Stalled")
    generation = int(metadata.get("generation") or 0)
    current = ready is not None and ready.observed_generation == generation and not metadata.get("deletionTimestamp")
    if metadata.get("deletionTimestamp"):
        problem = "it is being deleted"
    elif ready is None or not current:
        problem = "it has not been checked yet"
    else:
        problem = f"{ready.reason}: {ready.message}" if ready.message else ready.reason
    return NamedModel(
        kind=kind_of(model_key(body)),
        name=metadata["name"],
        uid=str(metadata["uid"]),
        generation=generation,
        net=net_of(body),
        ready=current and ready is not None and ready.status == "True",
        stalled=current and stalled is not None and stalled.status == "True",
        problem=problem,
        detector=status.graph is not None and status.graph.detector,
    )


def net_of(body: Body) -> NamedNet | None:
    """What a model says, as runs pin it, or None if this operator does not understand it."""
    try:
        spec = VisionModelSpec.from_wire(body["spec"])
    except ValidationError:
        return None
    return NamedNet(model=spec.model, input=spec.input, layer=spec.layer)


def pinned(part: Part, model: NamedModel) -> PinnedModel:
    """What is recorded of a model when a run starts.

    Args:
        part: The part of the spec that refers to it.
        model: The model.
    """
    assert model.net is not None
    kind: Any = model.kind
    return PinnedModel(
        field=part, kind=kind, name=model.name, uid=model.uid, generation=model.generation, net=model.net
    )


class ModelStore:
    """Models by key; an older version never replaces a newer one."""

    def __init__(self) -> None:
        self._models: dict[Key, Body] = {}
        self._checking: dict[str, set[str]] = {}  # names of models with a recorded pod, by namespace
        self._with_pod: set[Owner] = set()

    def get(self, key: Key) -> Body | None:
        """The model, or None if it is not known."""
        return self._models.get(key)

    def put(self, body: Body) -> None:
        """Stores a model."""
        key = model_key(body)
        last = self._models.get(key)
        if last is not None and _version(last) > _version(body):
            return
        self._models[key] = reduced_model(body)
        if ((body.get("status") or {}).get("check") or {}).get("podUid"):
            self._checking.setdefault(key.namespace, set()).add(key.name)
        else:
            self._end_check(key)

    def drop(self, key: Key, uid: str | None = None) -> None:
        """Removes a model, unless the key belongs to another uid by now."""
        last = self._models.get(key)
        if last is not None and uid in (None, last["metadata"]["uid"]):
            del self._models[key]
            self._end_check(key)

    def knows(self, owner: Owner) -> bool:
        """Whether this model is stored."""
        body = self._models.get(owner.key)
        return body is not None and body["metadata"]["uid"] == owner.uid

    def checks(self, key: Key) -> int:
        """How many other models of the same namespace are being checked."""
        return len(self._checking.get(key.namespace, set()) - {key.name})

    def put_pod(self, owner: Owner) -> None:
        """Stores that a pod names this model as its controller."""
        self._with_pod.add(owner)

    def drop_pod(self, owner: Owner) -> None:
        """Stores that no pod does."""
        self._with_pod.discard(owner)

    def has_pod(self, owner: Owner) -> bool:
        """Whether a pod names this model as its controller, as far as is known."""
        return owner in self._with_pod

    def _end_check(self, key: Key) -> None:
        names = self._checking.get(key.namespace, set())
        names.discard(key.name)
        if not names:
            self._checking.pop(key.namespace, None)


def _version(body: Body) -> int:
    return int(body["metadata"].get("resourceVersion") or 0)
