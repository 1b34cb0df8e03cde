"""An S3 server on loopback that responds as a test says: pages of keys, or what no store should send."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit
from xml.sax.saxutils import escape

from featx_job.clients.s3 import Bucket
from featx_job.clients.s3_settings import Connection

Answer = tuple[int, bytes]
Respond = Callable[[str, str, dict[str, str]], Answer]


def as_go_writes(key: str) -> str:
    """A key in XML as sent by servers written in Go, which replace characters that XML can't represent."""
    return "".join(letter if ord(letter) >= 32 else "\ufffd" for letter in key)


def is_folder(key: str) -> bool:
    """Whether a key is the marker of a folder."""
    return key.endswith("/")


class Keys:
    """Responds to ListObjectsV2 for some keys, in pages of a thousand."""

    def __init__(
        self, keys: list[str], raw: Callable[[str], str] = as_go_writes, empty: Callable[[str], bool] = is_folder
    ) -> None:
        self.keys, self._raw, self._empty = sorted(keys, key=str.encode), raw, empty
        self.queries: list[dict[str, str]] = []

    def __call__(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        query = dict(parse_qsl(urlsplit(path).query, keep_blank_values=True))
        self.queries.append(query)
        encode = quote if query.get("encoding-type") == "url" else lambda key: escape(self._raw(key))
        after = query.get("continuation-token", query.get("start-after", ""))
        prefix, entries = query["prefix"], dict[str, str]()
        for key in self.keys:
            if key.startswith(prefix) and key.encode() > after.encode():
                name, slash, _ = key.removeprefix(prefix).partition("/")
                folder = f"{prefix}{name}/" if slash and query.get("delimiter") else None
                entries[folder or key] = "" if folder else key
        page = list(entries)[:1000]
        body = [f"<Name>bucket</Name><IsTruncated>{str(len(page) < len(entries)).lower()}</IsTruncated>"]
        body += ["<EncodingType>url</EncodingType>"] if "encoding-type" in query else []
        body += (
            [f"<NextContinuationToken>{encode(page[-1])}</NextContinuationToken>"] if len(page) < len(entries) else []
        )
        for name in page:
            body.append(
                f"<Contents><Key>{encode(name)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                f"<ETag>&quot;abc&quot;</ETag><Size>{0 if self._empty(name) else 3}</Size></Contents>"
                if entries[name]
                else f"<CommonPrefixes><Prefix>{encode(name)}</Prefix></CommonPrefixes>"
            )
        space = "http://s3.amazonaws.com/doc/2006-03-01/"
        return (
            200,
            f'<?xml version="1.0"?><ListBucketResult xmlns="{space}">{"".join(body)}</ListBucketResult>'.encode(),
        )


@contextmanager
def served(
    respond: Respond, patience: float = 0, headers: dict[str, str] | None = None, **connected: Any
) -> Iterator[Bucket]:
    """A bucket whose server sends given responses and headers, reached with given settings."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def serve(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, body = respond(self.command, self.path, dict(self.headers))
            self.send_response(status)
            sent = {"Content-Type": "application/xml", "Content-Length": str(len(body))} | (headers or {})
            for name, value in sent.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body)

        do_DELETE = do_GET = do_HEAD = do_POST = do_PUT = serve  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Logs nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        connection = Connection(endpoint=f"http://127.0.0.1:{server.server_port}", region="us-east-1", **connected)
        try:
            yield Bucket(connection, "spec.source.s3", "bucket", patience)
        finally:
            server.shutdown()
