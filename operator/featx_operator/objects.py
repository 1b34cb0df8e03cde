"""Kubernetes objects as plain JSON, the keys that name our resources, and the models parsed from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from featx_api.contract import LABEL_NAME, LABEL_UID
from featx_api.nets import NamedNet
from featx_api.resource import FeatureExtraction
from featx_api.spec import Part
from featx_api.status import FeatureExtractionStatus, PinnedModel

from featx_operator import kueue

#: An object as the API server sends it, or as we send it.
Body = Mapping[str, Any]

#: What decisions need of a resource's metadata.
METADATA = ("namespace", "name", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp")


class Key(NamedTuple):
    """Names one resource."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Owner(NamedTuple):
    """Identifies one resource for good: a name may be used again, and a uid is public, so it proves nothing alone."""

    key: Key
    uid: str


class Controller(NamedTuple):
    """The object that an object belongs to, by its `ownerReferences`."""

    kind: str
    name: str
    uid: str


def driver_name(name: str, attempt: int) -> str:
    """The name of an attempt's driver pod."""
    return f"{name}-{attempt}-driver"


def key_of(body: Body) -> Key:
    """The key of a resource."""
    return Key(body["metadata"]["namespace"], body["metadata"]["name"])


def essential(resource: Body) -> Body:
    """A resource without what no decision needs: labels other than Kueue's, annotations, managed fields."""
    metadata = {name: resource["metadata"][name] for name in METADATA if name in resource["metadata"]}
    labels = resource["metadata"].get("labels") or {}
    if queueing := {name: labels[name] for name in kueue.LABELS if labels.get(name)}:
        metadata["labels"] = queueing
    return {"metadata": metadata, **{part: resource[part] for part in ("spec", "status") if part in resource}}


def owner_from(resource: Body) -> Owner:
    """A resource as the owner of its children."""
    return Owner(key_of(resource), str(resource["metadata"]["uid"]))


def claimed_owner(child: Body) -> Owner:
    """The resource that an object's labels name, in the object's own namespace. Anybody may write labels."""
    labels = child["metadata"].get("labels") or {}
    return Owner(Key(child["metadata"]["namespace"], labels.get(LABEL_NAME, "")), labels.get(LABEL_UID, ""))


def controller_of(body: Body) -> Controller | None:
    """The controller of an object, or None."""
    references = body["metadata"].get("ownerReferences") or ()
    reference = next((item for item in references if item.get("controller")), None)
    return Controller(reference["kind"], reference["name"], reference["uid"]) if reference else None


def resource_of(body: Body) -> FeatureExtraction:
    """The resource, validated, without its status; with the models of its status in place of references to them.

    Raises:
        ValidationError: The models reject the spec.
    """
    resource = FeatureExtraction.from_wire({key: body[key] for key in ("metadata", "spec")})
    pinned = map(PinnedModel.from_wire, (body.get("status") or {}).get("models") or ())
    return with_nets(resource, {pin.field: pin.net for pin in pinned})


def with_nets(resource: FeatureExtraction, nets: Mapping[Part, NamedNet]) -> FeatureExtraction:
    """The resource with these nets in place of the references of their parts."""
    return resource.model_copy(update={"spec": resource.spec.with_nets(nets)}) if nets else resource


def is_elsewhere(body: Body) -> bool:
    """Whether another controller has a resource (`spec.managedBy`)."""
    return (body.get("spec") or {}).get("managedBy") not in (None, kueue.OPERATOR)


def status_of(body: Body) -> FeatureExtractionStatus:
    """The status of a resource; all defaults before the first write."""
    status = body.get("status") or {}
    # The API server's default says that no operator has seen the resource (featx_api.crd.UNSEEN).
    return FeatureExtractionStatus.from_wire({} if status.get("observedGeneration") == -1 else status)
