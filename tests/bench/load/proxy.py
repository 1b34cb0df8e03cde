"""A TCP proxy that delays what clients send: `python -m tests.bench.load.proxy PORT ADDRESS:PORT MILLISECONDS`.

TLS passes through unread. Each request on an open connection takes that much longer, and several at once do not wait
for each other, as on a longer way to the API server.
"""

from __future__ import annotations

import asyncio
import sys

CHUNK = 1 << 16


async def serve(port: int, host: str, target: int, seconds: float) -> None:
    """Accepts connections on loopback, forever."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(host, target)
        except OSError:
            writer.close()
            return
        delayed = asyncio.create_task(_pump(reader, upstream_writer, seconds))
        await asyncio.gather(delayed, _pump(upstream_reader, writer, 0))

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Copies one direction until its end; every chunk is written this long after it was read."""
    loop = asyncio.get_running_loop()
    try:
        while data := await reader.read(CHUNK):
            if seconds:
                loop.call_later(seconds, _write, writer, data)
            else:
                writer.write(data)
                await writer.drain()
    except OSError:
        pass
    loop.call_later(seconds, writer.close)


def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    if not writer.is_closing():
        writer.write(data)


if __name__ == "__main__":
    address, _, number = sys.argv[2].rpartition(":")
    asyncio.run(serve(int(sys.argv[1]), address, int(number), float(sys.argv[3]) / 1000))
