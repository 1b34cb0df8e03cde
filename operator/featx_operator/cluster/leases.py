"""Requests about Leases."""

from __future__ import annotations

from featx_operator.cluster.transport import ApiServer
from featx_operator.objects import Body


def get(api: ApiServer, namespace: str, name: str) -> Body | None:
    """The current version of a Lease, or None if it does not exist."""
    return api.get(f"{_path(namespace)}/{name}")


def put(api: ApiServer, lease: Body) -> None:
    """Creates a Lease; replaces it if it carries a resourceVersion.

    Raises:
        ApiError: 409 if another replica was faster: the Lease exists, or has another version by now.
    """
    path = _path(lease["metadata"]["namespace"])
    if "resourceVersion" in lease["metadata"]:
        api.request("PUT", f"{path}/{lease['metadata']['name']}", {}, lease)
    else:
        api.request("POST", path, {}, lease)


def _path(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
