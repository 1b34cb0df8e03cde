"""An HTTP proxy in front of a store that answers some requests for objects as a broken store or gateway would."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

Respond = Callable[["Handler"], None]


class Faults:
    """What to do with requests for objects, by key; each is counted.

    Attributes:
        by_key: How to respond instead of the store.
        every: How to respond to each request for an object, after `by_key`; None passes them on.
        requests: Requests for objects so far, by key.
    """

    def __init__(self) -> None:
        self.by_key: dict[str, Respond] = {}
        self.every: Respond | None = None
        self.requests: dict[str, int] = {}
        self.lock = threading.Lock()

    @property
    def total(self) -> int:
        """All requests for objects so far."""
        return sum(self.requests.values())


class Handler(BaseHTTPRequestHandler):
    """One request of a client."""

    protocol_version = "HTTP/1.1"
    store = ""
    faults = Faults()

    def serve(self) -> None:
        """Responds as the faults say, or as the store does."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        key = unquote(urlsplit(self.path).path).partition("/")[2].partition("/")[2]
        fault = None
        if self.command == "GET" and key:
            with self.faults.lock:
                self.faults.requests[key] = self.faults.requests.get(key, 0) + 1
            fault = self.faults.by_key.get(key, self.faults.every)
        if fault is not None:
            fault(self)
        else:
            self.forward(body)

    def forward(self, body: bytes = b"") -> None:
        """Passes the request on."""
        status, headers, data = self.stored(body)
        self.respond(status, data, headers)

    def stored(self, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
        """The store's own response; the signature holds as the host's name is passed on."""
        connection = http.client.HTTPConnection(self.store, timeout=60)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        data = response.read()
        connection.close()
        return response.status, dict(response.getheaders()), data

    def respond(self, status: int, data: bytes, headers: dict[str, str], length: int | None = None) -> None:
        """Sends a response; its length may be another one than that of the data."""
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        if self.command == "HEAD":
            length = int({name.lower(): value for name, value in headers.items()}.get("content-length", 0))
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_DELETE = do_GET = do_HEAD = do_POST = do_PUT = serve  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


def error(status: int, code: str, **headers: str) -> Respond:
    """Responds with an error of S3."""
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>no</Message></Error>'.encode()
    return lambda handler: handler.respond(status, body, {"Content-Type": "application/xml", **headers})


def cut(handler: Handler) -> None:
    """Sends half of the object, then closes the connection."""
    status, headers, data = handler.stored()
    handler.respond(status, data[: len(data) // 2], headers, len(data))
    handler.close_connection = True


def too_short(handler: Handler) -> None:
    """States half of the length, and sends the whole object."""
    status, headers, data = handler.stored()
    handler.respond(status, data, headers, len(data) // 2)
    handler.close_connection = True


def slow(seconds: float) -> Respond:
    """Sends the object with a pause in the middle."""

    def respond(handler: Handler) -> None:
        status, headers, data = handler.stored()
        handler.respond(status, data[:100], headers, len(data))
        handler.wfile.flush()
        time.sleep(seconds)
        handler.wfile.write(data[100:])

    return respond


def first(count: int, fault: Respond, faults: Faults) -> Respond:
    """Responds with a fault to a number of requests for objects, then as the store does."""

    def respond(handler: Handler) -> None:
        (fault if faults.total <= count else Handler.forward)(handler)

    return respond


@contextmanager
def in_front_of(endpoint: str) -> Iterator[tuple[str, Faults]]:
    """Runs a proxy; yields its endpoint, and the faults that it injects."""
    faults = Faults()
    kind = type("Handler", (Handler,), {"store": urlsplit(endpoint).netloc, "faults": faults})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", faults
        finally:
            server.shutdown()
