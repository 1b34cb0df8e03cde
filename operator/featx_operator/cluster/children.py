"""Requests about what a run consists of: driver and executor pods, and ConfigMaps."""

from __future__ import annotations

from featx_api.contract import LABEL_UID

from featx_operator.cluster.transport import FIELD_MANAGER, ApiServer
from featx_operator.objects import Body

_PLURALS = {"Pod": "pods", "ConfigMap": "configmaps"}


def get(api: ApiServer, kind: str, namespace: str, name: str) -> Body | None:
    """The current version of a Pod or ConfigMap, or None if it does not exist."""
    return api.get(f"{_path(kind, namespace)}/{name}")


def pods(api: ApiServer, namespace: str, owner: str) -> list[Body]:
    """All pods of the resource with this uid."""
    return api.items(_path("Pod", namespace), _owned_by(owner))


def config_maps(api: ApiServer, namespace: str, owner: str) -> list[str]:
    """The names of all ConfigMaps of the resource with this uid."""
    return [item["metadata"]["name"] for item in api.items(_path("ConfigMap", namespace), _owned_by(owner))]


def create(api: ApiServer, manifest: Body) -> Body:
    """Creates a Pod or ConfigMap.

    Raises:
        ApiError: 409 if the name is taken, 403 or 422 if the object is refused.
    """
    path = _path(manifest["kind"], manifest["metadata"]["namespace"])
    return api.request("POST", path, {"fieldManager": FIELD_MANAGER}, manifest)


def delete_pod(api: ApiServer, namespace: str, name: str, uid: str) -> Body | None:
    """Deletes a pod if it has this uid; returns the terminating pod, or None if it is already gone."""
    response = api.delete(f"{_path('Pod', namespace)}/{name}", {"preconditions": {"uid": uid}})
    return response if response and response.get("kind") == "Pod" else None


def delete_config_map(api: ApiServer, namespace: str, name: str) -> None:
    """Deletes a ConfigMap, if it exists."""
    api.delete(f"{_path('ConfigMap', namespace)}/{name}")


def _path(kind: str, namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/{_PLURALS[kind]}"


def _owned_by(uid: str) -> dict[str, str]:
    return {"labelSelector": f"{LABEL_UID}={uid}"}
