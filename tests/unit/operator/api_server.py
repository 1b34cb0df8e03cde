"""An API server in memory: objects by path, with its checks of versions, names and uids, and its pages."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

from featx_operator.cluster.transport import FIELD_MANAGER, JSON, METADATA, METADATA_LIST, ApiError, ApiServer
from featx_operator.objects import Body

RESOURCES = "/apis/featx.dev/v1alpha1/namespaces/default/featureextractions"
PODS = "/api/v1/namespaces/default/pods"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
SECRETS = "/api/v1/namespaces/default/secrets"
EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"
CORE_EVENTS = "/api/v1/namespaces/default/events"  # the same objects, in the form that they are read in


class FakeApiServer(ApiServer):
    """Serves what `cluster` requests.

    Args:
        time: Of every creation.

    Attributes:
        objects: Objects by path.
        refusals: Errors by method and path, raised once each instead of serving the request.
        held: Paths of objects that stay when they are deleted, as those with a finalizer do.
        sent: Every response, as JSON.
        requests: Methods and paths of all requests that change something.
        all_requests: Methods and paths of all requests.
    """

    def __init__(self, time: str) -> None:
        self.time = time
        self.objects: dict[str, dict[str, Any]] = {}
        self.refusals: dict[tuple[str, str], ApiError] = {}
        self.held: set[str] = set()
        self.requests: list[tuple[str, str]] = []
        self.all_requests: list[tuple[str, str]] = []
        self.sent: list[str] = []
        self._serial = itertools.count(1)

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
        content_type: str = JSON,
        accept: str = JSON,
        reduce: Callable[[Body], Body] = dict,
    ) -> Body:
        self.all_requests.append((method, path))
        if method != "GET":
            self.requests.append((method, path))
        if refusal := self.refusals.pop((method, path), None):
            raise refusal
        response = copy.deepcopy(self._serve(method, path, query or {}, copy.deepcopy(dict(body or {}))))
        if accept == METADATA:
            response = {"kind": "PartialObjectMetadata", "metadata": response["metadata"]}
        if accept == METADATA_LIST:
            items = [{"metadata": item["metadata"]} for item in response["items"]]
            response = {**response, "items": items or None}  # as the real one sends an empty list of metadata
        self.sent.append(json.dumps(response))
        return reduce(response)

    def _serve(self, method: str, path: str, query: Mapping[str, str], body: dict[str, Any]) -> Body:
        if method == "POST":
            return self.put(f"{path}/{body['metadata']['name']}", body, create=True)
        if method == "GET" and path not in self.objects and "limit" in query:
            matches = self._has_labels if "labelSelector" in query else self._has_fields
            items = [item for key, item in self.objects.items() if key.startswith(f"{path}/") and matches(item, query)]
            first = int(query.get("continue", 0))
            last = first + int(query["limit"])
            return {"items": items[first:last], "metadata": {"continue": str(last) if last < len(items) else ""}}
        item = self.objects.get(path.removesuffix("/status"))
        if item is None:
            raise ApiError(404, f"{path} not found")
        if method == "PATCH":
            for part in ("resourceVersion", "uid"):
                if body["metadata"].get(part, item["metadata"][part]) != item["metadata"][part]:
                    raise ApiError(409, "the object has been modified")
            if "status" not in body:
                annotations = {**item["metadata"].get("annotations", {}), **body["metadata"]["annotations"]}
                return self.put(path, {**item, "metadata": {**item["metadata"], "annotations": annotations}})
            status = body["status"] if query["fieldManager"] == FIELD_MANAGER else self._merged(item, body["status"])
            return self.put(path.removesuffix("/status"), {**item, "status": status})
        if method == "DELETE":
            if body.get("preconditions", {}).get("uid", item["metadata"]["uid"]) != item["metadata"]["uid"]:
                raise ApiError(409, "the uid in the precondition differs")
            if path in self.held:
                return self.put(path, {**item, "metadata": {**item["metadata"], "deletionTimestamp": self.time}})
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
    def _merged(item: Body, status: Body) -> Body:
        """The status with those of another manager, as server-side apply merges them."""
        conditions = {condition["type"]: condition for condition in item.get("status", {}).get("conditions", [])}
        conditions |= {condition["type"]: condition for condition in status["conditions"]}
        return {**item.get("status", {}), **status, "conditions": list(conditions.values())}

    @staticmethod
    def _has_labels(item: Body, query: Mapping[str, str]) -> bool:
        wanted = dict(part.split("=") for part in query["labelSelector"].split(","))
        return wanted.items() <= (item["metadata"].get("labels") or {}).items()

    @staticmethod
    def _has_fields(event: Body, query: Mapping[str, str]) -> bool:
        if "fieldSelector" not in query:
            return True
        wanted = dict(part.split("=") for part in query["fieldSelector"].split(","))
        fields = {"reason": event["reason"], "source": event.get("source", {}).get("component", "")}
        return wanted == {**fields, "involvedObject.uid": event["involvedObject"]["uid"]}

    def names(self, path: str) -> list[str]:
        """The names of all objects in a collection."""
        return [item["metadata"]["name"] for key, item in self.objects.items() if key.startswith(f"{path}/")]
