"""`/metrics` over HTTP, in the operator's event loop.

prometheus-client's own server has a thread for each connection, without a limit: whoever reaches it could fill the
operator's memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from featx_operator.metrics import REGISTRY

CONNECTIONS = 16
SECONDS = 5.0
LONGEST_REQUEST = 8192  # bytes


class Exposition:
    """Responds to one request per connection.

    Args:
        refresh: Called before each response.
    """

    def __init__(self, refresh: Callable[[], None]) -> None:
        self._refresh = refresh
        self._open = 0

    async def serve(self, port: int, address: str | None = None) -> None:
        """Serves until it is cancelled."""
        server = await asyncio.start_server(self._connected, address, port, limit=LONGEST_REQUEST)
        async with server:
            await server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._open >= CONNECTIONS:
            writer.transport.abort()
            return
        self._open += 1
        try:
            async with asyncio.timeout(SECONDS):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._response(request))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
        finally:
            self._open -= 1
            writer.close()

    def _response(self, request: bytes) -> bytes:
        method, _, rest = request.partition(b" ")
        if method != b"GET" or rest.split(b" ")[0].split(b"?")[0] != b"/metrics":
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        self._refresh()
        body = generate_latest(REGISTRY)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {CONTENT_TYPE_LATEST}\r\nContent-Length: {len(body)}\r\n"
        return f"{head}Connection: close\r\n\r\n".encode() + body
