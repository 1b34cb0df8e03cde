"""The connection to the API server: the official client's transport, with plain JSON in and out.

The client's typed models are not used: they cost memory and time per pod, and reject what a newer server sends. Calls
block, each with a timeout; the event loop runs them in threads.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

from kubernetes import client, config
from kubernetes.client import rest as client_rest

from featx_operator import metrics
from featx_operator.objects import Body

logger = logging.getLogger(__name__)

FIELD_MANAGER = "featx-operator"
CONNECT_SECONDS = 3.0
JSON = "application/json"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
#: Accepted instead of `JSON`: only the metadata of an object, so that a Secret's values never get here.
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
#: The same of a collection.
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
#: Objects per response: each may have the 1.5 MiB that etcd stores, and take ten times that when it is parsed.
PAGE = 4
#: Objects of a collection that are read at most: more can't be a run's.
MOST_ITEMS = 5000

Item = TypeVar("Item")


def _unchanged(body: Body) -> Body:
    return body


class ApiError(Exception):
    """The API server did not answer with a success.

    Attributes:
        status: HTTP status code.
        message: The API server's message.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message

    @property
    def over_quota(self) -> bool:
        """Whether a ResourceQuota refused it: that has no reason of its own, but is Forbidden like a missing right."""
        return self.status == 403 and "exceeded quota" in self.message


class NotActiveError(Exception):
    """Nothing is written, since another replica may be the active one by now."""


class ApiServer:
    """A connection to the API server: in a pod by its service account, elsewhere by KUBECONFIG.

    Args:
        request_seconds: Timeout of a request.
        connections: How many stay open; as many as there are threads.
        may_write: Asked right before each request that changes something. A process that was paused wakes up anywhere,
            and must not do what it had decided before.
    """

    def __init__(
        self, request_seconds: float, connections: int = 4, may_write: Callable[[], bool] = lambda: True
    ) -> None:
        configuration = client.Configuration()
        try:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except config.ConfigException:
            config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        configuration.connection_pool_maxsize = connections  # another one would be opened for each request above it
        self._client = client.ApiClient(configuration)
        self._pool: Any = self._client.rest_client.pool_manager
        self._may_write = may_write
        library: Any = client_rest  # its own urllib3
        self._timeout = library.urllib3.Timeout(connect=CONNECT_SECONDS, read=request_seconds)
        self._parsing = threading.Lock()

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
        content_type: str = JSON,
        accept: str = JSON,
        reduce: Callable[[Body], Body] = _unchanged,
    ) -> Body:
        """Sends a request and returns the response's JSON.

        Args:
            method: Of HTTP.
            path: Of the object or collection.
            query: Parameters.
            body: What is sent.
            content_type: Of the body.
            accept: Form of the response.
            reduce: What to keep of the response. Whole ones are in memory one at a time, whatever their size.

        Raises:
            ApiError: The response is not a success.
            NotActiveError: The request would change something, and this replica may not.
        """
        if method != "GET" and not self._may_write():
            raise NotActiveError(f"{method} {path}: this replica does not hold the Lease")
        status, reason, data = self._send(
            method, path, query or {}, body, {"Accept": accept, "Content-Type": content_type}
        )
        if 200 <= status < 300:
            with self._parsing:
                return reduce(cast(Body, json.loads(data)))
        raise ApiError(status, _message(data, reason))

    def _send(
        self, method: str, path: str, query: Mapping[str, str], body: Body | None, headers: dict[str, str]
    ) -> tuple[int, str | None, bytes]:
        """Sends a request by the client's pool of connections: its own way there costs more than the request."""
        url, headers = self._prepared(path, query, headers)
        started, status = time.monotonic(), 0
        try:
            response = self._pool.request(
                method,
                url,
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=self._timeout,
            )
            status = response.status
            return status, response.reason, response.data
        finally:
            metrics.observe_request(method, path, status, time.monotonic() - started)

    def _prepared(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """The address and the headers of a request, with the token, which is read again when it is renewed."""
        configuration: Any = self._client.configuration
        url = f"{configuration.host}{path}{f'?{urlencode(query)}' if query else ''}"
        token = configuration.auth_settings().get("BearerToken")
        authorization = {"Authorization": token["value"]} if token else {}
        return url, {"User-Agent": FIELD_MANAGER, **headers, **authorization}

    def first_event(self, path: str, query: Mapping[str, str]) -> bytes:
        """The first event of a watch as JSON; empty if the API server ends it before.

        Raises:
            ApiError: The watch is refused.
        """
        url, headers = self._prepared(path, {**query, "watch": "true"}, {"Accept": JSON})
        response = self._pool.request("GET", url, headers=headers, timeout=self._timeout, preload_content=False)
        try:
            if response.status != 200:
                raise ApiError(response.status, _message(response.read(), response.reason))
            return bytes(response.readline())
        finally:
            response.close()

    def get(self, path: str, accept: str = JSON, reduce: Callable[[Body], Body] = _unchanged) -> Body | None:
        """The object at a path, or None if it does not exist."""
        try:
            return self.request("GET", path, accept=accept, reduce=reduce)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def items(
        self, path: str, query: Mapping[str, str], reduce: Callable[[Body], Item], accept: str = JSON
    ) -> Iterator[Item]:
        """Yields what is kept of the items of a collection, at most `MOST_ITEMS`; one page of them is in memory."""
        token = ""
        for _ in range(MOST_ITEMS // PAGE):
            items, token = self.page(path, {**query, **({"continue": token} if token else {})}, reduce, accept)
            yield from items
            if not token:
                return
        logger.warning("%s has more than %d objects for %s; the others are ignored", path, MOST_ITEMS, dict(query))

    def page(
        self, path: str, query: Mapping[str, str], reduce: Callable[[Body], Item], accept: str = JSON
    ) -> tuple[list[Item], str]:
        """What is kept of at most `PAGE` items of a collection, and the token of the next page, or empty."""

        def reduced(response: Body) -> dict[str, Any]:
            items = response.get("items") or ()  # null in an empty list of metadata
            return {"items": [reduce(item) for item in items], "metadata": response.get("metadata", {})}

        response = self.request("GET", path, {**query, "limit": str(PAGE)}, accept=accept, reduce=reduced)
        return response["items"], response["metadata"].get("continue") or ""

    def delete(self, path: str, options: Body | None = None) -> Body | None:
        """Deletes an object; returns the response, or None if the object is already gone."""
        try:
            return self.request("DELETE", path, {}, {"kind": "DeleteOptions", "apiVersion": "v1", **(options or {})})
        except ApiError as error:
            # 409: the name belongs to another uid by now, so the object to delete is gone.
            if error.status in (404, 409):
                return None
            raise


def _message(data: bytes, reason: str | None) -> str:
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return reason or data[:200].decode(errors="replace")


def serves(api: ApiServer, version: str, *plurals: str) -> bool:
    """Whether the API server has these kinds in a version of a group."""
    kinds = api.get(f"/apis/{version}")
    return kinds is not None and {*plurals} <= {kind["name"] for kind in kinds["resources"]}
