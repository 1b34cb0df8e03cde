"""A replica that does not hold the Lease writes nothing, and one that can't reach the API server waits for it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from featx_operator import __main__ as program
from featx_operator.cluster import resources, transport
from featx_operator.cluster.transport import ApiError, ApiServer, NotActiveError
from featx_operator.lease import WRITABLE, Lease
from featx_operator.settings import Settings


class Response(io.BytesIO):
    """A response of urllib3."""

    reason = ""

    def __init__(self, status: int, data: bytes) -> None:
        super().__init__(data)
        self.status = status
        self.data = data


class Pool:
    """Connections that answer every request."""

    def __init__(self) -> None:
        self.methods: list[str] = []

    def request(self, method: str, *_: Any, **__: Any) -> Any:
        self.methods.append(method)
        return Response(200, b"{}")


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Pool:
    """A pool behind every connection to an API server."""
    pool = Pool()
    monkeypatch.setattr("kubernetes.config.load_incluster_config", lambda **_: None)
    original = transport.ApiServer.__init__

    def connected(api: ApiServer, *arguments: Any, **named: Any) -> None:
        original(api, *arguments, **named)
        api._pool = pool

    monkeypatch.setattr(transport.ApiServer, "__init__", connected)
    return pool


def test_only_reads_are_sent_without_the_lease(pool: Pool) -> None:
    held = True
    api = ApiServer(1, may_write=lambda: held)
    api.request("POST", "/api/v1/namespaces/default/pods", body={})
    held = False
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        with pytest.raises(NotActiveError):
            api.request(method, "/api/v1/namespaces/default/pods/x", body={})
    api.request("GET", "/api/v1/namespaces/default/pods/x")
    assert pool.methods == ["POST", "GET"]


def test_writing_stops_before_the_lease_expires() -> None:
    now = 100.0
    lease = Lease(None, Settings(lease_seconds=10), lambda: now)  # type: ignore[arg-type]
    assert not lease.may_write()
    lease._renewed_at = 100.0
    now = 100 + 10 * WRITABLE - 0.1
    assert lease.may_write() and lease.held
    now = 100 + 10 * WRITABLE
    assert not lease.may_write() and lease.held
    now = 110.0
    assert not lease.held


def test_an_api_server_that_fails_at_the_start_is_waited_for(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [ApiError(500, "etcd is unavailable"), OSError("refused"), ApiError(403, "no RBAC yet"), True]
    pauses: list[float] = []

    def are_served(_: ApiServer) -> bool:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return bool(answer)

    monkeypatch.setattr(resources, "are_served", are_served)
    monkeypatch.setattr(resources, "are_streamed", lambda *_: False)
    monkeypatch.setattr("time.sleep", pauses.append)
    assert program.wait_for_api_server(Settings()) == (True, False)
    assert pauses == [1, 2, 4]
    assert pool.methods == []


@pytest.mark.parametrize(
    ("status", "data", "streamed"),
    [
        (200, b'{"type":"BOOKMARK","object":{"metadata":{"annotations":{"k8s.io/initial-events-end":"true"}}}}', True),
        (200, b"", False),  # it does not know the parameter
        (
            422,
            b'{"message":"sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"}',
            False,
        ),
    ],
)
def test_objects_are_streamed_where_the_api_server_can(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, status: int, data: bytes, streamed: bool
) -> None:
    monkeypatch.setattr(pool, "request", lambda *_, **__: Response(status, data))
    assert resources.are_streamed(ApiServer(1), "default") is streamed
