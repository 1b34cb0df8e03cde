"""Requests about FeatureExtraction resources."""

from __future__ import annotations

from featx_api import API_VERSION, GROUP, KIND, PLURAL, VERSION

from featx_operator.cluster.transport import FIELD_MANAGER, ApiServer
from featx_operator.objects import Body, Key, key_of


def are_served(api: ApiServer) -> bool:
    """Whether the CRD is installed."""
    kinds = api.get(f"/apis/{API_VERSION}")
    return kinds is not None and any(kind["name"] == PLURAL for kind in kinds["resources"])


def get(api: ApiServer, key: Key) -> Body | None:
    """The current version of a resource, or None if it does not exist."""
    return api.get(f"{_path(key.namespace)}/{key.name}")


def ping(api: ApiServer, namespace: str) -> None:
    """Lists at most one resource of a namespace, to prove connection and permissions.

    Raises:
        ApiError: The namespace can't be listed.
    """
    api.request("GET", _path(namespace), {"limit": "1"})


def apply_status(api: ApiServer, body: Body, status: Body) -> Body:
    """Applies a status (server-side, owning all of it) to exactly the version that it was computed from.

    Raises:
        ApiError: 409 if the resource has changed since, 404 if it is gone.
    """
    key, version = key_of(body), body["metadata"]["resourceVersion"]
    applied = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": key.name, "resourceVersion": version},
        "status": status,
    }
    return api.request(
        "PATCH",
        f"{_path(key.namespace)}/{key.name}/status",
        {"fieldManager": FIELD_MANAGER, "force": "true"},
        applied,
        "application/apply-patch+yaml",
    )


def _path(namespace: str) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURAL}"
