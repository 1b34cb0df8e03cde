"""A store that does not answer is waited for, up to a limit; one that refuses is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import urllib3
from featx_api.source import SecretRef, StoreAccess
from featx_job.clients import s3
from featx_job.failures import RunFailure

ACCESS = StoreAccess(endpoint="http://127.0.0.1:9", secret_ref=SecretRef(name="store"))
FIELD = "spec.source.s3"


class Faults:
    """Fails a number of times, then answers."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> str:
        self.left -= 1
        if self.left >= 0:
            raise urllib3.exceptions.HTTPError("connection refused")
        return "answer"


def test_a_store_that_comes_back_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("featx_job.clients.s3.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("featx_job.clients.s3.time.sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    assert s3.asking(ACCESS, FIELD, "bucket", 30, Faults(4)) == "answer"
    assert clock[0] == 0.5 + 1 + 2 + 4


def test_a_store_that_stays_away_fails_the_attempt_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("featx_job.clients.s3.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("featx_job.clients.s3.time.sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    with pytest.raises(RunFailure, match=r"spec\.source\.s3\.endpoint: http://127\.0\.0\.1:9") as failure:
        s3.asking(ACCESS, FIELD, "bucket", 30, Faults(100))
    assert (failure.value.class_, failure.value.retryable) == ("StoreUnreachable", True)
    assert clock[0] <= 30


def test_a_secret_that_is_not_mounted_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunFailure, match="store") as failure:
        s3.credentials(ACCESS, FIELD, tmp_path, {})
    assert failure.value.class_ == "SecretNotFound"


def test_a_secret_without_a_key_is_told_which_key(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "AWS_ACCESS_KEY_ID").write_text("me\n")
    with pytest.raises(RunFailure, match="AWS_SECRET_ACCESS_KEY") as failure:
        s3.credentials(ACCESS, FIELD, tmp_path, {})
    assert failure.value.class_ == "SecretIncomplete"


def test_credentials_never_show_themselves() -> None:
    known_as = s3.credentials(ACCESS, FIELD, None, {"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "hunter2"})
    assert "hunter2" not in repr(known_as)
    assert "hunter2" not in f"{known_as}"
