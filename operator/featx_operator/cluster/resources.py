"""Requests about FeatureExtraction resources."""

from __future__ import annotations

from featx_api import API_VERSION, GROUP, KIND, PLURAL, VERSION

from featx_operator.cluster.transport import APPLY, FIELD_MANAGER, ApiError, ApiServer, serves
from featx_operator.objects import Body, Key, essential, key_of
from featx_operator.settings import EVERY_NAMESPACE


def are_served(api: ApiServer) -> bool:
    """Whether the CRD is installed."""
    return serves(api, API_VERSION, PLURAL)


def are_streamed(api: ApiServer, namespace: str) -> bool:
    """Whether the API server sends all resources in a watch, so that no list is needed: by default since 1.34.

    Raises:
        ApiError: A fault of the API server.
    """
    query = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
        "labelSelector": f"{GROUP}/none",  # none is sent now
        "timeoutSeconds": "10",
    }
    try:
        return b"k8s.io/initial-events-end" in api.first_event(_path(namespace), query)
    except ApiError as error:
        if error.status >= 500:
            raise
        return False


def get(api: ApiServer, key: Key) -> Body | None:
    """What decisions need of the current version of a resource, or None if it does not exist."""
    return api.get(f"{_path(key.namespace)}/{key.name}", reduce=essential)


def ping(api: ApiServer, namespace: str) -> None:
    """Lists at most one resource of a namespace, or of all, to prove connection and permissions.

    Raises:
        ApiError: The namespace can't be listed.
    """
    api.request("GET", _path(namespace), {"limit": "1"})


def first_event(api: ApiServer, namespace: str) -> bytes:
    """The first event of a watch of a namespace's resources, or nothing within seconds.

    Raises:
        ApiError: The watch is refused.
    """
    return api.first_event(_path(namespace), {"timeoutSeconds": "5"})


def apply_status(api: ApiServer, body: Body, status: Body) -> Body:
    """Applies a status (server-side, owning all of it) to exactly the version that it was computed from.

    Raises:
        ApiError: 409 if the resource has changed since, 404 if it is gone.
    """
    return _apply(api, body, {"resourceVersion": body["metadata"]["resourceVersion"]}, status, FIELD_MANAGER)


def apply_condition(api: ApiServer, body: Body, condition: Body) -> Body:
    """Applies one condition, and its reason as the run's state; leaves the rest of the status, whatever its version.

    Raises:
        ApiError: 409 if the name belongs to another uid by now, 404 if the resource is gone.
    """
    # Another manager: what one applies without a field that it owns is deleted.
    manager = f"{FIELD_MANAGER}-errors"
    status = {"state": condition["reason"], "conditions": [condition]}
    return _apply(api, body, {"uid": body["metadata"]["uid"]}, status, manager)


def _apply(api: ApiServer, body: Body, precondition: Body, status: Body, manager: str) -> Body:
    key = key_of(body)
    applied = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": key.name, **precondition},
        "status": status,
    }
    path, query = f"{_path(key.namespace)}/{key.name}/status", {"fieldManager": manager, "force": "true"}
    return api.request("PATCH", path, query, applied, APPLY, reduce=essential)


def _path(namespace: str) -> str:
    within = "" if namespace == EVERY_NAMESPACE else f"namespaces/{namespace}/"
    return f"/apis/{GROUP}/{VERSION}/{within}{PLURAL}"
