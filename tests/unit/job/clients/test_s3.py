"""An unresponsive store is waited for, up to a limit; a refusal is final immediately."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import urllib3
from featx_api.failures import FailureClass
from featx_api.s3 import SecretRef, StoreAccess
from featx_job.clients import s3, s3_settings
from featx_job.clients.retry import with_retry
from featx_job.failures import RunFailure

ACCESS = StoreAccess(endpoint="http://127.0.0.1:9", secret_ref=SecretRef(name="store"))
FIELD = "spec.source.s3"
KEYS = {"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "hunter2"}


class Faults:
    """Fails a number of times, then succeeds."""

    def __init__(self, times: int) -> None:
        self.left = times

    def bucket_call(self, *_: object, **__: object) -> None:
        self.left -= 1
        if self.left >= 0:
            raise urllib3.exceptions.HTTPError("connection refused")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


def bucket(monkeypatch: pytest.MonkeyPatch, faults: Faults) -> s3.Bucket:
    monkeypatch.setattr("minio.Minio.put_object", faults.bucket_call)
    return s3.Bucket(s3_settings.connection(ACCESS, FIELD, None, KEYS), FIELD, "bucket", patience=30)


def test_a_store_that_recovers_is_waited_for(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    faults = Faults(4)
    bucket(monkeypatch, faults).write("key", b"data")
    assert faults.left == -1
    assert clock[0] == 0.5 + 1 + 2 + 4


def test_pauses_grow_up_to_ten_seconds(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    faults = Faults(8)
    patient = s3.Bucket(s3_settings.connection(ACCESS, FIELD, None, KEYS), FIELD, "bucket", patience=300)
    monkeypatch.setattr("minio.Minio.put_object", faults.bucket_call)
    patient.write("key", b"data")
    assert clock[0] == 0.5 + 1 + 2 + 4 + 8 + 10 + 10 + 10


def test_a_refusal_is_final_at_once(clock: list[float]) -> None:
    calls: list[float] = []

    def refused() -> None:
        calls.append(clock[0])
        raise ValueError("denied")

    denied = RunFailure(FailureClass.ACCESS_DENIED, "spec.source.s3: denied")
    with pytest.raises(RunFailure) as raised:
        with_retry(refused, lambda _: denied, patience=30)
    assert (raised.value, calls, clock[0]) == (denied, [0.0], 0.0)


def test_a_failure_that_is_not_the_clients_is_not_explained(clock: list[float]) -> None:
    with pytest.raises(ZeroDivisionError):
        with_retry(lambda: 1 // 0, lambda _: None, patience=30)
    assert clock[0] == 0.0


def test_an_unresponsive_store_fails_the_attempt_in_time(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    with pytest.raises(RunFailure, match=r"spec\.source\.s3\.endpoint: http://127\.0\.0\.1:9") as failure:
        bucket(monkeypatch, Faults(100)).write("key", b"data")
    assert (failure.value.class_, failure.value.retryable) == ("StoreUnreachable", True)
    assert clock[0] <= 30


def test_a_secret_that_is_not_mounted_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunFailure, match="store") as failure:
        s3_settings.credentials(ACCESS, FIELD, tmp_path, {})
    assert failure.value.class_ == "SecretNotFound"


def test_the_missing_key_of_a_secret_is_named(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "AWS_ACCESS_KEY_ID").write_text("me\n")
    with pytest.raises(RunFailure, match="AWS_SECRET_ACCESS_KEY") as failure:
        s3_settings.credentials(ACCESS, FIELD, tmp_path, {})
    assert failure.value.class_ == "SecretIncomplete"


def test_credentials_are_never_printed() -> None:
    connection = s3_settings.connection(ACCESS, FIELD, None, KEYS)
    assert "hunter2" not in repr(connection)
    assert "hunter2" not in f"{connection.credentials}"
    assert "hunter2" not in repr(s3_settings.for_s3a("bucket", ACCESS, None))


def test_an_unreachable_store_leaves_no_signature_in_message_or_log(
    caplog: pytest.LogCaptureFixture, clock: list[float]
) -> None:
    with pytest.raises(RunFailure) as raised:
        unreachable = s3.Bucket(s3_settings.connection(ACCESS, FIELD, None, KEYS), FIELD, "bucket", patience=30)
        unreachable.create("table/_delta_log/0.json", b"{}")
    assert raised.value.class_ == "StoreUnreachable"
    for text in (str(raised.value), caplog.text):
        assert "X-Amz" not in text


def test_every_client_uses_the_same_connection_settings() -> None:
    connection = s3_settings.connection(ACCESS, FIELD, None, KEYS | {"AWS_SESSION_TOKEN": "token"})
    assert connection.for_object_store() == {
        "aws_region": "us-east-1",
        "aws_virtual_hosted_style_request": "false",
        "aws_endpoint_url": "http://127.0.0.1:9",
        "aws_access_key_id": "me",
        "aws_secret_access_key": "hunter2",
        "aws_session_token": "token",
        "aws_skip_signature": "false",
        "aws_allow_http": "true",
    }
    assert connection.for_arrow() == {
        "region": "us-east-1",
        "endpoint_override": "127.0.0.1:9",
        "scheme": "http",
        "access_key": "me",
        "secret_key": "hunter2",
        "session_token": "token",
    }


@pytest.mark.parametrize(
    ("identity", "skipped"),
    [({}, "true"), ({"pod_identity": True}, "false"), ({"secret_ref": ACCESS.secret_ref}, "false")],
)
def test_only_anonymous_requests_are_unsigned(identity: dict[str, Any], skipped: str) -> None:
    connection = s3_settings.connection(StoreAccess(**identity), FIELD, None, KEYS)
    assert connection.for_object_store()["aws_skip_signature"] == skipped
    assert connection.for_arrow().get("anonymous", False) is (skipped == "true")


def test_a_command_line_without_keys_reads_anonymously() -> None:
    connection = s3_settings.from_environment("store:8333", {"AWS_REGION": "eu-central-1"})
    assert connection.for_object_store()["aws_skip_signature"] == "true"
    assert connection.for_arrow() == {
        "region": "eu-central-1",
        "endpoint_override": "store:8333",
        "scheme": "https",
        "anonymous": True,
    }
