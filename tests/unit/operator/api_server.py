"""An API server in memory: resources, pods, ConfigMaps and Events by path, with its checks of versions and names."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping
from typing import Any

from featx_operator.cluster.transport import ApiError, ApiServer
from featx_operator.objects import Body

RESOURCES = "/apis/featx.dev/v1alpha1/namespaces/default/featureextractions"
PODS = "/api/v1/namespaces/default/pods"
EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"


class FakeApiServer(ApiServer):
    """Serves what `cluster` requests.

    Args:
        time: Of every creation.

    Attributes:
        objects: Objects by path.
        refusals: Errors by method and path, raised once each instead of serving the request.
        requests: Methods and paths of all requests that change something.
    """

    def __init__(self, time: str) -> None:
        self.time = time
        self.objects: dict[str, dict[str, Any]] = {}
        self.refusals: dict[tuple[str, str], ApiError] = {}
        self.requests: list[tuple[str, str]] = []
        self._serial = itertools.count(1)

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
        content_type: str = "application/json",
    ) -> Body:
        if method != "GET":
            self.requests.append((method, path))
        if refusal := self.refusals.pop((method, path), None):
            raise refusal
        return copy.deepcopy(self._serve(method, path, query or {}, copy.deepcopy(dict(body or {}))))

    def _serve(self, method: str, path: str, query: Mapping[str, str], body: dict[str, Any]) -> Body:
        if method == "POST":
            return self.put(f"{path}/{body['metadata']['name']}", body, create=True)
        if method == "GET" and path not in self.objects and "labelSelector" in query:
            return {"items": [item for key, item in self.objects.items() if self._matches(key, item, path, query)]}
        item = self.objects.get(path.removesuffix("/status"))
        if item is None:
            raise ApiError(404, f"{path} not found")
        if method == "PATCH":
            if body["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
                raise ApiError(409, "the object has been modified")
            return self.put(path.removesuffix("/status"), {**item, "status": body["status"]})
        if method == "DELETE":
            if body.get("preconditions", {}).get("uid", item["metadata"]["uid"]) != item["metadata"]["uid"]:
                raise ApiError(409, "the uid in the precondition differs")
            return self.objects.pop(path)
        return item

    def put(self, path: str, item: dict[str, Any], create: bool = False) -> Body:
        """Stores an object with a new version; a new one gets its uid and time of creation."""
        if create and path in self.objects:
            raise ApiError(409, f"{path} already exists")
        version = str(next(self._serial))
        metadata = {
            "uid": f"uid-{version}",
            "creationTimestamp": self.time,
            **item["metadata"],
            "resourceVersion": version,
        }
        self.objects[path] = {**item, "metadata": metadata}
        return self.objects[path]

    @staticmethod
    def _matches(key: str, item: Body, path: str, query: Mapping[str, str]) -> bool:
        label, _, value = query["labelSelector"].partition("=")
        return key.startswith(f"{path}/") and item["metadata"].get("labels", {}).get(label) == value

    def names(self, path: str) -> list[str]:
        """The names of all objects in a collection."""
        return [item["metadata"]["name"] for key, item in self.objects.items() if key.startswith(f"{path}/")]
