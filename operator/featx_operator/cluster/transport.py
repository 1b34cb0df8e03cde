"""The connection to the API server: the official client's transport, with plain JSON in and out.

The client's typed models are not used: they cost memory and time per pod, and reject what a newer server sends. Calls
block, each with a timeout; the event loop runs them in threads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from kubernetes import client, config

from featx_operator.objects import Body

FIELD_MANAGER = "featx-operator"
CONNECT_SECONDS = 3.0


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


class ApiServer:
    """A connection to the API server: in a pod by its service account, elsewhere by KUBECONFIG."""

    def __init__(self, request_seconds: float) -> None:
        configuration = client.Configuration()
        try:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except config.ConfigException:
            config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        self._client = client.ApiClient(configuration)
        self._timeout = (CONNECT_SECONDS, request_seconds)

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
        content_type: str = "application/json",
    ) -> Body:
        """Sends a request and returns the response's JSON.

        Raises:
            ApiError: The response is not a success.
        """
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

    def get(self, path: str) -> Body | None:
        """The object at a path, or None if it does not exist."""
        try:
            return self.request("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def items(self, path: str, query: Mapping[str, str]) -> list[Body]:
        """The items of a collection."""
        return cast(list[Body], self.request("GET", path, query)["items"])

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
