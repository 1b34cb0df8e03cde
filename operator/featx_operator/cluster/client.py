"""The requests that the operator makes, and no more: the official client's transport, our own few paths, plain JSON.

The client's typed models are left aside: they cost memory and time per pod, and refuse what a newer server sends. Calls
block, each with a timeout; `reconcile` runs them in threads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from featx_api import API_VERSION, GROUP, KIND, PLURAL, VERSION
from featx_api.contract import LABEL_UID
from kubernetes import client, config

from featx_operator.decisions.events import Event
from featx_operator.queue import Key
from featx_operator.state.observed import Waiting, time_of

Body = dict[str, Any]

FIELD_MANAGER = "featx-operator"
CONNECT_SECONDS = 3.0


class ApiError(Exception):
    """The API server's answer was not a success.

    Attributes:
        status: HTTP status code.
        message: what the API server said.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class Cluster:
    """A connection to the API server, in a pod by its service account, elsewhere by KUBECONFIG."""

    def __init__(self, identity: str, request_seconds: float) -> None:
        configuration = client.Configuration()
        try:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except config.ConfigException:
            config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        self._client = client.ApiClient(configuration)
        self._identity = identity
        self._timeout = (CONNECT_SECONDS, request_seconds)

    def serves_resources(self) -> bool:
        """Tells whether the CRD is installed."""
        try:
            served = self._request("GET", f"/apis/{API_VERSION}")
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return any(item["name"] == PLURAL for item in served["resources"])

    def resource(self, key: Key) -> Body | None:
        """Returns a resource as the API server has it now, or None."""
        return self._find(_resource_path(key))

    def ping(self, namespace: str) -> None:
        """Asks for at most one resource of a namespace: proves connection and rights."""
        self._request("GET", _resource_path(Key(namespace, "")).rstrip("/"), {"limit": "1"})

    def apply_status(self, body: Mapping[str, Any], status: Body) -> Body:
        """Applies a status (server-side, with the whole of it as ours) upon exactly the version it was made from.

        Raises:
            ApiError: 409 if the resource has changed since, 404 if it is gone.
        """
        metadata = body["metadata"]
        applied = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": metadata["name"], "resourceVersion": metadata["resourceVersion"]},
            "status": status,
        }
        return self._request(
            "PATCH",
            f"{_resource_path(Key(metadata['namespace'], metadata['name']))}/status",
            {"fieldManager": FIELD_MANAGER, "force": "true"},
            applied,
            "application/apply-patch+yaml",
        )

    def pods_of(self, namespace: str, uid: str) -> list[Body]:
        """Returns all pods of a resource, as the API server has them now."""
        return self._list(f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": f"{LABEL_UID}={uid}"})

    def config_maps_of(self, namespace: str, uid: str) -> list[str]:
        """Returns the names of all ConfigMaps of a resource."""
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        return [item["metadata"]["name"] for item in self._list(path, {"labelSelector": f"{LABEL_UID}={uid}"})]

    def pod(self, namespace: str, name: str) -> Body | None:
        """Returns a pod as the API server has it now, or None."""
        return self._find(f"/api/v1/namespaces/{namespace}/pods/{name}")

    def config_map(self, namespace: str, name: str) -> Body | None:
        """Returns a ConfigMap, or None."""
        return self._find(f"/api/v1/namespaces/{namespace}/configmaps/{name}")

    def create(self, manifest: Body) -> Body:
        """Creates a Pod or a ConfigMap.

        Raises:
            ApiError: 409 if its name is taken, 403 or 422 if it is refused.
        """
        plural = {"Pod": "pods", "ConfigMap": "configmaps"}[manifest["kind"]]
        path = f"/api/v1/namespaces/{manifest['metadata']['namespace']}/{plural}"
        return self._request("POST", path, {"fieldManager": FIELD_MANAGER}, manifest)

    def delete_pod(self, namespace: str, name: str, uid: str) -> Body | None:
        """Deletes a pod if it has this uid; returns it as it ends, or None if it is gone already."""
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        answer = self._delete(path, {"preconditions": {"uid": uid}})
        return answer if answer and answer.get("kind") == "Pod" else None

    def delete_config_map(self, namespace: str, name: str) -> None:
        """Deletes a ConfigMap, or does nothing if it is gone."""
        self._delete(f"/api/v1/namespaces/{namespace}/configmaps/{name}", {})

    def mount_failure(self, namespace: str, pod_uid: str) -> Waiting | None:
        """Returns what the kubelet said last about a pod's volumes that can't be mounted."""
        selector = f"involvedObject.uid={pod_uid},reason=FailedMount"
        events = self._list(f"/api/v1/namespaces/{namespace}/events", {"fieldSelector": selector})
        found = [(str(event.get("lastTimestamp") or event.get("eventTime") or ""), event) for event in events]
        if not found:
            return None
        when, last = max(found, key=lambda pair: pair[0])
        return Waiting("FailedMount", last.get("message", ""), time_of(when))

    def tell(self, body: Mapping[str, Any], event: Event) -> None:
        """Creates an Event about a resource."""
        now = datetime.now(UTC)
        metadata = body["metadata"]
        regarding = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            **{key: metadata[key] for key in ("namespace", "name", "uid", "resourceVersion")},
        }
        manifest = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{now.timestamp() * 1e6:.0f}-{event.reason.lower()}"},
            "eventTime": now.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "type": event.type,
            "reason": event.reason,
            "note": event.note,
            "action": event.reason,
            "regarding": regarding,
            "reportingController": f"{GROUP}/{FIELD_MANAGER}",
            "reportingInstance": self._identity,
        }
        self._request("POST", f"/apis/events.k8s.io/v1/namespaces/{metadata['namespace']}/events", {}, manifest)

    def lease(self, namespace: str, name: str) -> Body | None:
        """Returns a Lease, or None."""
        return self._find(f"{_leases(namespace)}/{name}")

    def put_lease(self, lease: Body) -> Body:
        """Creates a Lease, or replaces it if it carries a resourceVersion that is still the current one.

        Raises:
            ApiError: 409 if another one was faster.
        """
        path = _leases(lease["metadata"]["namespace"])
        if "resourceVersion" in lease["metadata"]:
            return self._request("PUT", f"{path}/{lease['metadata']['name']}", {}, lease)
        return self._request("POST", path, {}, lease)

    def _find(self, path: str) -> Body | None:
        try:
            return self._request("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def _delete(self, path: str, options: Body) -> Body | None:
        try:
            return self._request("DELETE", path, {}, {"kind": "DeleteOptions", "apiVersion": "v1", **options})
        except ApiError as error:
            # 409: the uid is another one's, so what was to be deleted is gone.
            if error.status in (404, 409):
                return None
            raise

    def _list(self, path: str, query: dict[str, str]) -> list[Body]:
        return cast(list[Body], self._request("GET", path, query)["items"])

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
        content_type: str = "application/json",
    ) -> Body:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        prepared = self._client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params=headers,
            body=body if content_type == "application/json" else json.dumps(body),
            auth_settings=["BearerToken"],
        )
        response = self._client.call_api(*prepared, _request_timeout=self._timeout)
        data = response.read()  # type: ignore[no-untyped-call]
        if 200 <= response.status < 300:
            return cast(Body, json.loads(data))
        raise ApiError(response.status, _message(data, response.reason))


def _resource_path(key: Key) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{key.namespace}/{PLURAL}/{key.name}"


def _leases(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


def _message(data: bytes, reason: str | None) -> str:
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return reason or data[:200].decode(errors="replace")
