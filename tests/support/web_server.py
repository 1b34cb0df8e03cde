"""A web server on loopback with images, and with what else the web has: redirects, silence, throttling, cut bodies."""

from __future__ import annotations

import collections
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

SECRET = "X-Amz-Signature=hunter2"
_THROTTLED = 2  # requests that are refused before one is served


class WebServer:
    """A running server.

    Attributes:
        requests: Headers of all requests, by path.
        most_at_once: Most requests that it had at the same time.
    """

    def __init__(self, port: int, scheme: str, images: Mapping[str, bytes]) -> None:
        self.address, self.url = f"127.0.0.1:{port}", f"{scheme}://127.0.0.1:{port}"
        self.images = images
        self.requests: dict[str, list[dict[str, str]]] = collections.defaultdict(list)
        self.most_at_once = 0
        self._active, self._lock = 0, threading.Lock()

    def respond(self, request: BaseHTTPRequestHandler) -> None:
        """Responds by path: an image's name, or /WHAT/IMAGE with something else first."""
        path = urlsplit(request.path)
        with self._lock:
            self._active += 1
            self.most_at_once = max(self.most_at_once, self._active)
            self.requests[path.path].append(dict(request.headers))
        try:
            _, *what, name = path.path.split("/")
            self._respond(request, what[0] if what else "", name, parse_qs(path.query))
        finally:
            with self._lock:
                self._active -= 1

    def _respond(self, request: BaseHTTPRequestHandler, what: str, name: str, query: Mapping[str, list[str]]) -> None:
        data, tries = self.images.get(name, b""), len(self.requests[urlsplit(request.path).path])
        if what == "status":
            return _send(request, int(name), b"secret text of an error")
        if what == "to":
            return _send(request, 302, b"", headers={"Location": query["url"][0]})
        if what == "hops":
            return _send(
                request, 301, b"", headers={"Location": f"/hops/{int(name) - 1}" if name != "0" else "/000.jpg"}
            )
        if what == "slow":
            time.sleep(0.2)
        if what == "silent":
            time.sleep(6)
        if what == "busy" and tries <= _THROTTLED:
            return _send(request, 429 if tries == 1 else 503, b"", headers={"Retry-After": "1"})
        if what == "failing" and tries == 1:
            return _send(request, 500, b"")
        if what in ("cut", "once-cut"):
            return _send(request, 200, data[: len(data) // 2 if tries == 1 or what == "cut" else None], len(data))
        if what == "endless":
            return _send_endlessly(request)
        if what == "chunked":
            return _send_chunked(request, data)
        return _send(request, 200 if data else 404, data)


def _send(
    request: BaseHTTPRequestHandler,
    status: int,
    data: bytes,
    length: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> None:
    request.send_response(status)
    for name, value in {"Content-Length": str(len(data) if length is None else length), **(headers or {})}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(data)
    request.close_connection = length not in (None, len(data))


def _send_chunked(request: BaseHTTPRequestHandler, data: bytes) -> None:
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    for start in range(0, len(data), 1000):
        part = data[start : start + 1000]
        request.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
    request.wfile.write(b"0\r\n\r\n")


def _send_endlessly(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    request.close_connection = True
    while True:
        request.wfile.write(bytes(1 << 16))


@contextmanager
def served(
    images: Mapping[str, bytes], certificate: Path | None = None, key: Path | None = None
) -> Iterator[WebServer]:
    """Runs a server until the block ends.

    Args:
        images: Content by name.
        certificate: Of an HTTPS server.
        key: Of the certificate.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            try:
                web.respond(self)
            except OSError:  # the client has seen enough
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Logs nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        web = WebServer(server.server_port, "https" if certificate else "http", images)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield web
        finally:
            server.shutdown()
