"""Requests about what a run consists of: driver and executor pods, ConfigMaps and Secrets."""

from __future__ import annotations

from collections.abc import Iterator

from featx_api.contract import JOB, LABEL_ROLE, LABEL_UID

from featx_operator.cluster.transport import FIELD_MANAGER, JSON, METADATA, METADATA_LIST, ApiServer
from featx_operator.objects import Body, Owner, claimed_owner, controller_of
from featx_operator.state.observed import Pod, pod_from

_PLURALS = {"Pod": "pods", "ConfigMap": "configmaps", "Secret": "secrets"}


def get(api: ApiServer, kind: str, namespace: str, name: str) -> Body | None:
    """The current version of a Pod or ConfigMap, or the metadata of a Secret; None if it does not exist."""
    return api.get(f"{_path(kind, namespace)}/{name}", METADATA if kind == "Secret" else JSON)


def pods(api: ApiServer, owner: Owner) -> Iterator[Pod]:
    """Yields the pods of a resource."""

    def reduce(body: Body) -> Pod | None:
        return pod_from(body) if claimed_owner(body) == owner else None

    labels = {"labelSelector": f"{LABEL_UID}={owner.uid}"}
    return filter(None, api.items(_path("Pod", owner.key.namespace), labels, reduce))


def first_event(api: ApiServer, namespace: str) -> bytes:
    """The first event of a watch of the pods of all runs, or nothing within seconds.

    Raises:
        ApiError: The watch is refused.
    """
    return api.first_event(_path("Pod", namespace), {"labelSelector": LABEL_UID, "timeoutSeconds": "5"})


def config_maps(api: ApiServer, owner: Owner) -> Iterator[str]:
    """Yields the names of all ConfigMaps of a resource."""

    def reduce(body: Body) -> str:
        return str(body["metadata"]["name"]) if is_owned(body, owner.uid) else ""

    labels = {"labelSelector": f"{LABEL_UID}={owner.uid},{LABEL_ROLE}={JOB}"}
    return filter(None, api.items(_path("ConfigMap", owner.key.namespace), labels, reduce, METADATA_LIST))


def is_owned(body: Body, uid: str) -> bool:
    """Whether an object's controller has this uid."""
    controller = controller_of(body)
    return controller is not None and controller.uid == uid


def create(api: ApiServer, manifest: Body) -> Body:
    """Creates a Pod, ConfigMap or Secret.

    Raises:
        ApiError: 409 if the name is taken, 403 or 422 if the object is refused.
    """
    path = _path(manifest["kind"], manifest["metadata"]["namespace"])
    return api.request("POST", path, {"fieldManager": FIELD_MANAGER}, manifest)


def delete(api: ApiServer, kind: str, namespace: str, name: str, uid: str) -> Body | None:
    """Deletes an object if it has this uid; returns the terminating pod, or None if the object is gone."""
    response = api.delete(f"{_path(kind, namespace)}/{name}", {"preconditions": {"uid": uid}})
    return response if response and response.get("kind") == "Pod" else None


def delete_owned(api: ApiServer, kind: str, owner: Owner, name: str) -> None:
    """Deletes a ConfigMap or Secret if it is a resource's."""
    existing = api.get(f"{_path(kind, owner.key.namespace)}/{name}", METADATA)
    if existing and is_owned(existing, owner.uid):
        delete(api, kind, owner.key.namespace, name, existing["metadata"]["uid"])


def _path(kind: str, namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/{_PLURALS[kind]}"
