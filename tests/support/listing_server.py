"""An S3 server on loopback that lists a bucket of any size: keys are computed from their numbers, and none is stored.

It runs in a process of its own, so that neither its time nor its memory counts as the lister's.
"""

from __future__ import annotations

import subprocess
import sys
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, urlsplit

BUCKET = "flat"
LAST = "\U0010ffff"
SPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
MIXER = 0x9E3779B97F4A7C15F39CC0605CEDC835  # odd


def _digits(number: int, count: int) -> str:
    return f"img-{number:010}.jpg"


def _hashes(number: int, count: int) -> str:
    return f"{_spread(number, count, 64):016x}.jpg"


def _uuids(number: int, count: int) -> str:
    text = f"{_spread(number, count, 128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}.jpg"


def _crowded(number: int, count: int) -> str:
    """A tenth is spread over all that begins with `a`; the rest begins with `mmm`."""
    few = count // 10
    if number < few:
        return f"a{_spread(number, few, 64):016x}"
    return f"mmm{_spread(number - few, count - few, 64):016x}"


def _spread(number: int, count: int, bits: int) -> int:
    """What looks like a hash and grows with the number: one in each of `count` equal parts of all values."""
    part = (1 << bits) // count
    return number * part + number * MIXER % part


NAMES: dict[str, Callable[[int, int], str]] = {
    "digits": _digits,
    "hashes": _hashes,
    "uuids": _uuids,
    "crowded": _crowded,
}


class Keys(Sequence[str]):
    """The keys of a bucket in their order, none of which is in a folder."""

    def __init__(self, names: str, count: int) -> None:
        """Take one of `NAMES`, and the number of keys."""
        self._name, self._count = NAMES[names], count

    def __len__(self) -> int:
        """The number of keys."""
        return self._count

    def __getitem__(self, number: int) -> str:  # type: ignore[override] # slices are not needed
        """A key by its number."""
        if not 0 <= number < self._count:
            raise IndexError(number)
        return self._name(number, self._count)

    def page(self, query: dict[str, str]) -> bytes:
        """What ListObjectsV2 responds; a continuation token is the last key of the page before."""
        after = query.get("continuation-token") or query.get("start-after", "")
        prefix, most = query.get("prefix", ""), int(query.get("max-keys", "1000"))
        start = max(bisect_right(self, after), bisect_left(self, prefix))
        end = bisect_left(self, prefix + LAST)
        stop = max(start, min(end, start + most))
        encode = quote if query.get("encoding-type") == "url" else str
        more = f"<NextContinuationToken>{self[stop - 1]}</NextContinuationToken>" if start < stop < end else ""
        contents = "".join(
            f"<Contents><Key>{encode(self[number])}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>&quot;{number:032x}&quot;</ETag><Size>30000</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for number in range(start, stop)
        )
        head = f"<Name>{BUCKET}</Name><KeyCount>{stop - start}</KeyCount><IsTruncated>{str(bool(more)).lower()}"
        listed = f'<ListBucketResult xmlns="{SPACE}">{head}</IsTruncated>{more}{contents}</ListBucketResult>'
        return f'<?xml version="1.0" encoding="UTF-8"?>{listed}'.encode()


@contextmanager
def running(names: str, count: int, latency: float = 0.0) -> Iterator[str]:
    """Run a server of the bucket `BUCKET` until the block ends, and yield its endpoint.

    Args:
        names: One of `NAMES`.
        count: Number of keys.
        latency: Seconds that each response takes longer.
    """
    command = [sys.executable, "-m", "tests.support.listing_server", names, str(count), str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def main(names: str, count: str, latency: str) -> None:
    """Serve until killed; the first line of output is the endpoint."""
    keys = Keys(names, int(count))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body in one packet

        def do_GET(self) -> None:
            body = keys.page(dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True)))
            time.sleep(float(latency))
            self.send_response(200)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Logs nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
