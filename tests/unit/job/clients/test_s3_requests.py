"""What requests of the bucket client say about who pays, where the bucket is, and which key decrypts."""

from __future__ import annotations

import base64
import socket
from dataclasses import replace
from typing import Any

import pytest
from featx_api.s3 import S3Source
from featx_job.clients import s3_settings
from featx_job.clients.s3 import Bucket
from featx_job.clients.s3_settings import Connection, Credentials
from featx_job.failures import RunFailure
from pydantic import ValidationError

from tests.support.scripted_s3 import Answer, Keys, served

FIELD = "spec.source.s3"
PAIR = Credentials("me", "hunter2")
KEY = bytes(range(32))
SECRET = {"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "hunter2"}
OWNER = {"x-amz-expected-bucket-owner": "123456789012"}
POINT = "arn:aws:s3:eu-west-1:123456789012:accesspoint/photos"


class Recorded:
    """Lists keys and stores objects, and records each request's method, path and headers."""

    def __init__(self, keys: list[str]) -> None:
        self._keys = Keys(keys)
        self.requests: list[tuple[str, str, dict[str, str]]] = []

    def __call__(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        self.requests.append((method, path, {name.lower(): value for name, value in headers.items()}))
        return self._keys(method, path, headers) if "list-type" in path else (200, b"data")

    def signed(self) -> list[tuple[dict[str, str], list[str]]]:
        """The headers of each request, and the names of the headers that it signs."""
        return [
            (headers, headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";"))
            for _, _, headers in self.requests
        ]


def use(bucket: Bucket) -> None:
    """Make each kind of request that reads."""
    bucket.folder("shop/")
    list(bucket.below("shop/"))
    bucket.stat("shop/a.jpg")
    bucket.read("shop/a.jpg")


@pytest.mark.parametrize(
    ("connected", "expected"),
    [
        ({"requester_pays": True}, {"x-amz-request-payer": "requester"}),
        ({"headers": OWNER}, OWNER),
        ({"headers": OWNER, "requester_pays": True}, {**OWNER, "x-amz-request-payer": "requester"}),
    ],
)
def test_every_request_has_and_signs_the_headers(connected: dict[str, Any], expected: dict[str, str]) -> None:
    recorded = Recorded([f"shop/{number:04}.jpg" for number in range(1500)])
    with served(recorded, credentials=PAIR) as server:
        use(Bucket(replace(server._reached, **connected), FIELD, "bucket", 0))
    assert len(recorded.requests) >= 5
    for headers, signed in recorded.signed():
        assert expected.items() <= headers.items()
        assert expected.keys() <= set(signed)


def test_an_object_is_created_at_the_requesters_cost() -> None:
    recorded = Recorded([])
    with served(recorded, credentials=PAIR, requester_pays=True) as bucket:
        assert bucket.create("table/0.json", b"{}")
    (_, path, _) = recorded.requests[0]
    assert "x-amz-request-payer=requester" in path and "X-Amz-Signature" in path


def at_any_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolves every name to this machine."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *rest, **named: resolve("127.0.0.1", *rest, **named))


@pytest.mark.parametrize("name", ["photos", "photos-abc-s3alias"])
@pytest.mark.parametrize("virtual", [False, True])
def test_a_bucket_is_named_in_the_path_or_in_the_host(
    name: str, virtual: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = Recorded(["shop/a.jpg"])
    with served(recorded) as server:
        endpoint = (server._reached.endpoint or "").replace("127.0.0.1", "store.test")
        at_any_host(monkeypatch)
        reached = Connection(endpoint=endpoint, region="eu-west-1", virtual_host=virtual, headers=OWNER)
        use(Bucket(reached, FIELD, name, 0))
    host = endpoint.removeprefix("http://")
    for _, path, headers in recorded.requests:
        assert headers["host"] == (f"{name}.{host}" if virtual else host)
        assert path.startswith("/" if virtual else f"/{name}")
        assert (f"/{name}" in path) is not virtual


def test_long_listings_name_the_bucket_in_the_host_too() -> None:
    reached = Connection(endpoint="https://store.test:8333", region="eu-west-1", virtual_host=True, requester_pays=True)
    options = reached.for_object_store("photos")
    assert options["aws_virtual_hosted_style_request"] == "true"
    assert options["aws_endpoint_url"] == "https://photos.store.test:8333"
    assert options["aws_request_payer"] == "true"


@pytest.mark.parametrize(
    ("arn", "endpoint"),
    [
        (POINT, "https://s3-accesspoint.eu-west-1.amazonaws.com"),
        (POINT.replace("arn:aws:", "arn:aws-cn:"), "https://s3-accesspoint.eu-west-1.amazonaws.com.cn"),
    ],
)
def test_an_access_point_is_a_host_of_its_region(arn: str, endpoint: str) -> None:
    source = S3Source(bucket=arn).resolved()
    assert (source.bucket, source.endpoint, source.region) == ("photos-123456789012", endpoint, "eu-west-1")
    settings = s3_settings.for_s3a(source.bucket, source, None)
    assert settings["fs.s3a.bucket.photos-123456789012.path.style.access"] == "false"
    bucket = Bucket(s3_settings.connection(source, FIELD, None, {}), FIELD, source.bucket, 0)
    address = bucket._minio.get_presigned_url("GET", bucket._called, "a.jpg")
    assert address == f"{endpoint.replace('://', '://photos-123456789012.')}/a.jpg"


@pytest.mark.parametrize("call", ["stat", "read"])
def test_an_encrypted_object_is_read_with_its_key(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    def record(*_: object, ssec: object) -> None:
        sent.append(ssec)
        raise ZeroDivisionError

    monkeypatch.setattr(f"minio.Minio.{call}_object".replace("read", "get"), record)
    source = S3Source(bucket="photos", secret_ref={"name": "store"}, sse_customer_key=True)
    secret = SECRET | {"SSE_CUSTOMER_KEY": base64.b64encode(KEY).decode()}
    key = s3_settings.customer_key(source, FIELD, None, secret)
    bucket = Bucket(s3_settings.connection(source, FIELD, None, secret), FIELD, "photos", 0, key)
    with pytest.raises(ZeroDivisionError):
        getattr(bucket, call)("a.jpg")
    assert base64.b64decode(sent[0].headers()["X-Amz-Server-Side-Encryption-Customer-Key"]) == KEY


@pytest.mark.parametrize("value", [None, "", "hunter2", base64.b64encode(b"too short").decode()])
def test_a_secret_without_a_usable_key_is_named_without_its_value(value: str | None) -> None:
    source = S3Source(bucket="photos", secret_ref={"name": "store"}, sse_customer_key=True)
    secret = SECRET if value is None else SECRET | {"SSE_CUSTOMER_KEY": value}
    with pytest.raises(RunFailure, match=r"spec\.source\.s3\.secretRef\.name: .*SSE_CUSTOMER_KEY") as raised:
        s3_settings.customer_key(source, FIELD, None, secret)
    assert raised.value.class_ == "SecretIncomplete"
    assert not value or value not in str(raised.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"sseCustomerKey": True},
        {"sseCustomerKey": True, "secretRef": {"name": "store"}, "endpoint": "http://store:8333"},
        {"headers": {"authorization": "me"}},
        {"headers": {"x-amz-date": "today"}},
        {"headers": {"x-amz-server-side-encryption-customer-key": "secret"}},
        {"headers": {"x-amz-expected-bucket-owner": "1\r\nHost: elsewhere"}},
        {"bucket": "arn:aws:s3::123456789012:accesspoint/photos.mrap"},
        {"bucket": "arn:aws:s3:eu-west-1:123456789012:bucket/photos"},
        {"bucket": "ab"},
        {"bucket": "a" * 64},
    ],
)
def test_settings_that_no_store_takes_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        S3Source.from_wire({"bucket": "photos"} | fields)
