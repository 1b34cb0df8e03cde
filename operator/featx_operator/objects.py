"""Kubernetes objects as plain JSON, the keys that name our resources, and the models parsed from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from featx_api.contract import LABEL_NAME
from featx_api.resource import FeatureExtraction
from featx_api.status import FeatureExtractionStatus

#: An object as the API server sends it, or as we send it.
Body = Mapping[str, Any]


class Key(NamedTuple):
    """Names one resource."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def key_of(body: Body) -> Key:
    """The key of a resource."""
    return Key(body["metadata"]["namespace"], body["metadata"]["name"])


def owner_of(pod: Body) -> Key | None:
    """The key of the resource that a pod's labels name, or None."""
    name = (pod["metadata"].get("labels") or {}).get(LABEL_NAME)
    return Key(pod["metadata"]["namespace"], name) if name else None


def resource_of(body: Body) -> FeatureExtraction:
    """The resource, validated, without its status.

    Raises:
        ValidationError: The models reject the spec.
    """
    return FeatureExtraction.model_validate({key: body[key] for key in ("metadata", "spec")})


def status_of(body: Body) -> FeatureExtractionStatus:
    """The status of a resource; all defaults before the first write."""
    return FeatureExtractionStatus.model_validate(body.get("status") or {})
