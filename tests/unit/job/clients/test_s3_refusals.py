"""What a store responds when it does not serve becomes a failure class, whichever call and library gets it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from featx_job.clients.s3 import Bucket, TooLargeError
from featx_job.clients.s3_settings import Connection, Credentials
from featx_job.failures import RunFailure

from tests.support.scripted_s3 import Answer, Keys, Respond, served

CALLS: dict[str, Callable[[Bucket], object]] = {
    "stat": lambda bucket: bucket.stat("a"),
    "read": lambda bucket: bucket.read("a"),
    "download": lambda bucket: bucket.download("a", Path("/nonexistent/a"), 9),
    "write": lambda bucket: bucket.write("a", b"data"),
    "create": lambda bucket: bucket.create("a", b"data"),
    "move": lambda bucket: bucket.move("a", "b"),
    "remove": lambda bucket: bucket.remove(["a"]),
    "folder": lambda bucket: bucket.folder("shop/"),
    "below": lambda bucket: list(bucket.below("shop/")),
}
HTML = b"<html><body>Sign in</body></html>"
MANY = [f"shop/{number:05}.jpg" for number in range(2500)]


def error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()


def listed(content: str) -> bytes:
    return f"<ListBucketResult><Name>bucket</Name>{content}</ListBucketResult>".encode()


def after_head(answer: Answer) -> Respond:
    """Serve HEAD, and answer all else with `answer`."""
    return lambda method, *_: (200, b"data") if method == "HEAD" else answer


def interrupted(keys: Keys, requests: range, body: bytes) -> Respond:
    """Serve keys, but answer the requests of some numbers with `body`."""
    numbers = count(1)
    return lambda method, path, headers: (200, body) if next(numbers) in requests else keys(method, path, headers)


def failure_of(call: str, respond: Respond, headers: dict[str, str] | None = None, **connected: Any) -> RunFailure:
    with served(respond, headers=headers, **connected) as bucket, pytest.raises(RunFailure) as raised:
        CALLS[call](bucket)
    return raised.value


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("status", "code", "failure"),
    [
        (429, "TooManyRequests", "StoreUnreachable"),
        (503, "SlowDown", "StoreUnreachable"),
        (400, "ExpiredToken", "AccessDenied"),
        (403, "AccessDenied", "AccessDenied"),
        (404, "NoSuchBucket", "BucketNotFound"),
        (301, "PermanentRedirect", "StoreError"),
    ],
)
def test_every_call_maps_a_refusal_to_the_same_class(call: str, status: int, code: str, failure: str) -> None:
    assert failure_of(call, lambda *_: (status, error(code))).class_ == failure


@pytest.mark.parametrize("call", [call for call in CALLS if call not in ("stat", "move")])
@pytest.mark.parametrize("status", [400, 408])
def test_a_request_that_timed_out_at_the_store_is_worth_another_attempt(call: str, status: int) -> None:
    assert failure_of(call, lambda *_: (status, error("RequestTimeout"))).class_ == "StoreUnreachable"


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        *(("move", (200, body)) for body in (error("InternalError"), b"", b"<CopyObjectRes")),
        *(
            ("folder", (200, body))
            for body in (
                error("InternalError"),
                HTML,
                b"",
                b"<ListBucketResult><Na",
                listed("<Contents><Key>shop/a</Key><LastModified>yesterday</LastModified></Contents>"),
            )
        ),
        ("read", (404, b"<Error><Code>NoSu")),
    ],
)
@pytest.mark.parametrize("pod_identity", [False, True])
def test_an_answer_that_is_not_a_stores_is_worth_another_attempt(
    call: str, answer: Answer, pod_identity: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    assert failure_of(call, after_head(answer), pod_identity=pod_identity).class_ == "StoreUnreachable"


@pytest.mark.parametrize("call", [call for call in CALLS if call != "create"])
@pytest.mark.parametrize("status", [403, 404])
def test_what_a_proxy_responds_is_not_quoted(call: str, status: int) -> None:
    failure = failure_of(call, lambda *_: (status, HTML), {"Content-Type": "text/html"})
    assert (failure.class_, "Sign in" in str(failure)) == ("StoreUnreachable", False)


def test_a_conflict_without_a_body_is_worth_another_attempt() -> None:
    assert failure_of("stat", lambda *_: (409, b"")).class_ == "StoreUnreachable"


def test_a_pod_without_an_identity_is_denied_access(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_: object) -> None:
        raise ValueError("no role")

    monkeypatch.setattr("minio.credentials.providers.ChainedProvider.retrieve", nothing)
    for call in CALLS:
        failure = failure_of(call, lambda *_: (200, b""), pod_identity=True)
        assert (failure.class_, "spec.source.s3.podIdentity" in str(failure)) == ("AccessDenied", True)


@pytest.mark.parametrize("key", ["a/../b", "./a"])
def test_a_key_that_no_client_addresses_is_missing(key: str) -> None:
    with served(lambda *_: (200, b"data"), pod_identity=True) as bucket:
        assert bucket.stat(key) is None
        assert bucket.read(key) is None


@pytest.mark.parametrize("name", ["images..raw", "10.0.0.1", "ab"])
def test_a_name_that_no_bucket_can_have_is_final(name: str) -> None:
    with pytest.raises(RunFailure, match=name) as raised:
        Bucket(Connection(region="us-east-1"), "spec.source.s3", name, patience=30)
    assert raised.value.class_ == "BucketNotFound"


@pytest.mark.parametrize("body", [error("InternalError"), HTML, b""])
def test_a_page_that_is_no_listing_does_not_end_one(body: bytes) -> None:
    with served(interrupted(Keys(MANY), range(2, 3), body)) as bucket:
        assert [stored.key for stored in bucket.below("shop/")] == MANY


@pytest.mark.parametrize("body", [error("InternalError"), HTML])
def test_a_listing_that_breaks_off_for_good_fails(body: bytes) -> None:
    with served(interrupted(Keys(MANY), range(2, 99), body)) as bucket, pytest.raises(RunFailure) as raised:
        list(bucket.below("shop/"))
    assert raised.value.class_ == "StoreUnreachable"


@pytest.mark.parametrize("call", CALLS)
def test_a_store_does_not_choose_how_long_it_is_waited_for(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = [0.0]
    monkeypatch.setattr("time.sleep", pauses.append)
    assert failure_of(call, lambda *_: (503, b""), {"Retry-After": "3600"}).class_ == "StoreUnreachable"
    assert max(pauses) < 10


@pytest.mark.parametrize("call", [call for call in CALLS if call != "below"])
@pytest.mark.parametrize("status", [303, 307])
def test_a_redirect_is_not_followed(call: str, status: int) -> None:
    targets: list[str] = []

    def respond(method: str, path: str, headers: dict[str, str]) -> Answer:
        targets.append(path)
        return (200, b"data") if path == "/elsewhere" else (status, b"")

    failure_of(call, respond, {"Location": "/elsewhere"})
    assert "/elsewhere" not in targets


@pytest.mark.parametrize(
    ("code", "failure"), [("AccessDenied", "AccessDenied"), ("InternalError", "StoreUnreachable"), ("NoSuchKey", None)]
)
def test_an_object_that_a_store_does_not_remove_is_reported(code: str, failure: str | None) -> None:
    body = f"<DeleteResult><Error><Key>a</Key><Code>{code}</Code></Error></DeleteResult>".encode()
    with served(lambda *_: (200, body)) as bucket:
        if failure is None:
            bucket.remove(["a"])
            return
        with pytest.raises(RunFailure) as raised:
            bucket.remove(["a"])
    assert raised.value.class_ == failure


class Objects:
    """Serves two requests that `move` makes of a few keys: copies and removals."""

    def __init__(self, *keys: str) -> None:
        self.keys = set(keys)

    def __call__(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        key = path.removeprefix("/bucket/")
        if method == "POST":
            self.keys.discard("source")
            return 200, b"<DeleteResult></DeleteResult>"
        if method == "PUT":
            self.keys.add(key)
            return 200, b'<CopyObjectResult><ETag>"abc"</ETag></CopyObjectResult>'
        return (200, b"data") if key in self.keys else (404, error("NoSuchKey"))


@pytest.mark.parametrize("before", ["source", "target"])
def test_an_object_is_moved_whether_or_not_it_was_before(before: str) -> None:
    objects = Objects(before)
    with served(objects) as bucket:
        bucket.move("source", "target")
    assert objects.keys == {"target"}


def test_an_object_that_is_nowhere_cannot_be_moved() -> None:
    with served(Objects()) as bucket, pytest.raises(RunFailure, match="NoSuchKey"):
        bucket.move("source", "target")


def test_a_signed_address_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    paths: list[str] = []

    def respond(method: str, path: str, headers: dict[str, str]) -> Answer:
        paths.append(path)
        return 200, b""

    with served(respond, credentials=Credentials("me", "hunter2")) as bucket:
        assert bucket.create("a", b"{}")
    assert "X-Amz-Signature" in paths[0]
    assert "X-Amz-Signature" not in caplog.text


def test_no_client_takes_an_endpoint_from_the_environment() -> None:
    options = Connection(region="eu-west-1").for_object_store()
    assert options["aws_endpoint_url"] == "https://s3.eu-west-1.amazonaws.com"


def test_a_download_ends_at_its_limit_whatever_the_store_sends(tmp_path: Path) -> None:
    """A store that never stops would fill the disk of the node, which is not its tenant's alone."""
    path = tmp_path / "model"
    with served(lambda method, path, headers: (200, bytes(3 << 20))) as bucket:
        with pytest.raises(TooLargeError):
            bucket.download("a", path, 2 << 20)
        assert path.stat().st_size <= 2 << 20
        assert bucket.download("a", path, 3 << 20)
    assert path.stat().st_size == 3 << 20
