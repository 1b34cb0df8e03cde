"""No message quotes what was read: a status has more readers than a run's files and stores."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from featx_api.contract import JobSpec
from featx_api.nets import Model
from featx_api.resource import FeatureExtraction
from featx_api.s3 import StoreAccess
from featx_job import run
from featx_job.clients import s3
from featx_job.clients.s3_settings import connection
from featx_job.environment import Environment
from featx_job.failures import RunFailure, from_exception
from featx_job.models import fetch

from tests.support.bad_resources import changed

MARKER = "hunter2"
JWT = f"eyJhbGciOiJSUzI1NiJ9.{MARKER}.{MARKER}"
TEXTS = {
    "a token": JWT,
    "a password": f"{MARKER}\n",
    "a number": f"4{MARKER}",
    "an unfinished message": f'layer {{ name: "{MARKER}',
    "an unknown field": f'{MARKER}: "{MARKER}"',
    "an unknown message": f"{MARKER} {{ {MARKER}: {MARKER} }}",
    "a wrong value": f"layer {{ convolution_param {{ num_output: {MARKER} }} }}",
    "a wrong enum": f"layer {{ pooling_param {{ pool: {MARKER} }} }}",
    "a wrong truth": f"force_backward: {MARKER}",
    "yaml": f"password: '{MARKER}'\nusers:\n- {MARKER}\n",
    "json": f'{{"password": "{MARKER}"}}',
    "ini": f"[default]\naws_secret_access_key = {MARKER}\n",
    "a certificate": f"-----BEGIN CERTIFICATE-----\n{MARKER}\n",
    "a deep one": "layer {" * 3000 + MARKER,
    "xml": f"<Error><Code>{MARKER}</Code></Error>",
    "shell": f"export PASSWORD={MARKER}; echo '",
    "zeros": f"\0\0{MARKER}\0",
}


@pytest.fixture(autouse=True)
def _nothing_is_logged_or_printed(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    caplog.set_level("DEBUG", logger="featx_job")
    yield
    shown = capfd.readouterr()
    assert MARKER not in caplog.text + shown.out + shown.err


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("kind", ["prototxt", "weights", "onnx"])
def test_a_model_that_is_something_else_is_named_but_not_quoted(text: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(text)
    (tmp_path / "other").write_bytes(b"")
    addresses = {"prototxt": "other", "weights": "other", kind: "secret"} if kind != "onnx" else {"onnx": "secret"}
    weights = (tmp_path / addresses.get("weights", "secret")).read_bytes()
    model = Model.model_validate(
        {name: f"file://{tmp_path}/{file}" for name, file in addresses.items()}
        | {"sha256": hashlib.sha256(weights).hexdigest()}
    )
    spec = FeatureExtraction.model_validate(changed("spec.suspend", value=False)).spec
    with pytest.raises(RunFailure) as refused:
        fetch.network(spec, model, "spec.extractor.model", Environment(jars=tmp_path, work=tmp_path))
    assert refused.value.class_ == "ModelInvalid"
    assert str(refused.value).startswith("spec.extractor.model")
    assert MARKER not in str(refused.value)


def test_a_prototxt_that_is_a_token_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(JWT)
    (tmp_path / "weights").write_bytes(b"")
    address = f"file://{tmp_path}"
    model = Model(prototxt=f"{address}/token", weights=f"{address}/weights", sha256=hashlib.sha256(b"").hexdigest())
    spec = FeatureExtraction.model_validate(changed("spec.suspend", value=False)).spec
    with pytest.raises(RunFailure) as refused:
        fetch.network(spec, model, "spec.extractor.model", Environment(jars=tmp_path, work=tmp_path))
    assert str(refused.value) == "spec.extractor.model: the prototxt is not a Caffe prototxt (line 1, column 21)"


FILES = {
    "_featx/u-1/manifest.json": [MARKER, f'{{"outputs": ["{MARKER}"]}}', f'["{MARKER}"]', f'{{"{MARKER}": 1}}'],
    "_manifest.json": [MARKER, f'["{MARKER}"]'],
    "_featx/u-1/shards.json.gz": [MARKER, f'{{"base": "{MARKER}"}}', f'{{"ranges": [[["{MARKER}", 1]]]}}'],
    "_featx/u-1/done/00000.json": [MARKER, f'{{"index": "{MARKER}"}}', f'{{"{MARKER}": 1}}'],
    "_featx/u-1/delta.json": [MARKER, f'{{"base": "{MARKER}"}}', f'{{"{MARKER}": 1}}'],
    "_delta_log/00000000000000000000.json": [MARKER, f'{{"add": "{MARKER}"}}', f'{{"add": {{"tags": "{MARKER}"}}}}'],
}


@pytest.mark.parametrize(
    ("name", "text", "format_"),
    [
        (name, text, format_)
        for name, texts in FILES.items()
        for text in texts
        for format_ in ("delta", "parquet")
        if format_ == "delta" or "delta" not in name
    ],
)
def test_a_damaged_file_in_the_output_is_not_quoted(
    name: str, text: str, format_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images").mkdir()
    file = tmp_path / "table" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") and text != MARKER else text.encode())
    if name.startswith("_delta_log"):
        (tmp_path / "table/_featx/u-1").mkdir(parents=True)
        (tmp_path / "table/_featx/u-1/delta.json").write_text('{"base": -1}')
        (tmp_path / "table/_featx/u-1/shards.json.gz").write_bytes(
            gzip.compress(b'{"base": "", "imagesPerShard": 1, "objects": []}')
        )
    body = changed("spec.output", {"uri": f"file://{tmp_path}/table", "format": format_})
    body["spec"]["source"] = {"files": {"uri": f"file://{tmp_path}/images"}}
    job = JobSpec(name="good", namespace="team", uid="u-1", attempt=1, spec=FeatureExtraction.model_validate(body).spec)
    monkeypatch.setattr("featx_job.run.fetch.load", lambda *_: None)
    monkeypatch.setattr("featx_job.run.Session", lambda *_: pytest.fail("the damage was overlooked"))
    for name_ in ("sizes", "conf"):
        monkeypatch.setattr(f"featx_job.run._Prepared.{name_}", None)
    outcome = run.run(job, Environment(jars=tmp_path, work=tmp_path / "work"), lambda _: None)
    assert outcome.failure is not None
    assert MARKER not in outcome.failure.message


BANNERS = {
    "ssh": f"SSH-2.0-{MARKER}\r\n",
    "redis": f"-ERR unknown command {MARKER}\r\n",
    "a status": f"HTTP/1.1 {MARKER}\r\n\r\n",
    "a reason": f"HTTP/1.1 500 {MARKER}\r\nContent-Length: 0\r\n\r\n",
    "a header": f"HTTP/1.1 200 OK\r\n{MARKER}\r\n\r\n",
    "a length": f"HTTP/1.1 200 OK\r\nContent-Length: {MARKER}\r\n\r\n",
    "chunks": f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{MARKER}\r\n",
    "encoding": f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\n\r\n{MARKER}",
    "a redirection": f"HTTP/1.1 302 Found\r\nLocation: http://{MARKER}/\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("banner", BANNERS.values(), ids=BANNERS)
def test_what_a_server_sends_that_is_no_http_is_not_quoted(banner: str) -> None:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            self.request.sendall(banner.encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        access = StoreAccess(endpoint=f"http://127.0.0.1:{server.server_address[1]}")
        bucket = s3.Bucket(connection(access, "spec.source.s3", None, {}), "spec.source.s3", "images", 0.1)
        for call in (lambda: list(bucket.below("")), lambda: bucket.write("k", b""), lambda: bucket.create("k", b"")):
            assert_quotes_nothing(call)
        server.shutdown()


def assert_quotes_nothing(call: Callable[[], object]) -> None:
    """Call something that may fail; its failure must not hold the marker."""
    try:
        call()
    except RunFailure as failure:
        assert MARKER not in str(failure)
    except Exception as error:
        assert MARKER not in str(from_exception(error))


@pytest.fixture(scope="module")
def responses() -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the address of a server that is no store, and what it responds."""
    response: dict[str, object] = {"status": 200, "body": b"", "type": "text/html"}

    class Handler(http.server.BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = response["body"]
            assert isinstance(body, bytes)
            self.send_response(int(str(response["status"])))
            self.send_header("Content-Type", str(response["type"]))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_PUT = do_POST = respond  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", response
    server.shutdown()


BODIES = {
    "text": (MARKER.encode(), "text/plain"),
    "html": (f"<html>{MARKER}</html>".encode(), "text/html"),
    "an error of a store": (
        f"<Error><Code>A{MARKER}&lt;</Code><Message>{MARKER}</Message></Error>".encode(),
        "application/xml",
    ),
    "broken xml": (f"<Error><Code>{MARKER}".encode(), "application/xml"),
    "json": (f'{{"AccessKeyId": "{MARKER}"}}'.encode(), "application/json"),
}


@pytest.mark.parametrize("status", [200, 400, 403, 404, 409, 500])
@pytest.mark.parametrize("body", BODIES)
def test_what_a_server_responds_that_is_no_store_is_not_quoted(
    status: int, body: str, responses: tuple[str, dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, response = responses
    response["status"], (response["body"], response["type"]) = status, BODIES[body]
    access = StoreAccess(endpoint=url)
    bucket = s3.Bucket(connection(access, "spec.source.s3", None, {}), "spec.source.s3", "images", 0.1)
    calls = (
        lambda: list(bucket.below("")),
        lambda: bucket.write("key", b""),
        lambda: bucket.create("key", b""),
        lambda: bucket.remove(["key"]),
        lambda: bucket.move("key", "other"),
    )
    for call in calls:
        assert_quotes_nothing(call)
