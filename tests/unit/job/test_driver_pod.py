"""The termination message always fits, and is always the outcome."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from featx_api.contract import TERMINATION_MESSAGE_LIMIT, JobSpec, Outcome
from featx_api.status import Failure, OutputTable, Progress
from featx_job.driver_pod import Annotations, message
from featx_job.environment import Cluster
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.client.exceptions import ApiException
from kubernetes.config import incluster_config

from tests.support.bad_resources import good


def job(**fields: int) -> JobSpec:
    """A job with two executors."""
    return JobSpec.model_validate({"name": "good", "namespace": "team", "uid": "u-1", "spec": good()["spec"], **fields})


@given(st.text(max_size=3900))
def test_whatever_a_failure_says_the_message_fits_and_can_be_read_back(text: str) -> None:
    failure = Failure(class_="Internal", message=text)
    said = message(Outcome(result="Failed", failure=failure, retryable=True))
    assert len(said.encode()) <= TERMINATION_MESSAGE_LIMIT
    read = Outcome.model_validate(json.loads(said))
    assert read.failure is not None
    assert (read.failure.class_, read.retryable) == ("Internal", True)


LETTERS = st.sampled_from(["a", "ü", "写", '"'])


@given(LETTERS, st.integers(0, 1000), LETTERS, st.integers(0, 3000))
def test_long_addresses_and_a_long_failure_together_fit_too(
    letter: str, length: int, other: str, failure_length: int
) -> None:
    uri = f"s3://bucket/{letter * length}"
    tables = [
        OutputTable(
            uri=uri, kind=kind, format="delta", record_count=2**40, bytes=2**50, manifest=f"{uri}/_manifest.json"
        )
        for kind in ("features", "quarantine")
    ]
    failure = Failure(class_="Internal", message=(other * failure_length)[:2000]) if failure_length else None
    said = message(Outcome(result="Failed" if failure else "Succeeded", outputs=tables, failure=failure))
    assert len(said.encode()) <= TERMINATION_MESSAGE_LIMIT
    read = Outcome.model_validate(json.loads(said))
    assert (read.failure is None) == (failure is None)
    if letter == "a" and failure is None:
        assert [table.uri for table in read.outputs] == [uri, uri]


def test_a_token_that_the_kubelet_has_rotated_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("first")
    (tmp_path / "ca.crt").write_text("ca")
    clock = [datetime(2026, 1, 1)]
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.setattr(
        incluster_config,
        "datetime",
        SimpleNamespace(datetime=SimpleNamespace(now=lambda: clock[0]), timedelta=timedelta),
    )
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    sent: list[str] = []

    def request(*_: object, headers: dict[str, str], **__: object) -> object:
        sent.append(headers["authorization"])
        raise ApiException(status=500)  # a failed write is logged, and does not fail the run

    server = SimpleNamespace(request=request, close=lambda: None)
    monkeypatch.setattr("kubernetes.client.rest.RESTClientObject", lambda *_: server)
    annotations = Annotations(Cluster("good-1-driver", "team", "10.0.0.7", "featx/job:1", ""), job())
    for token, seconds in (("first", 0), ("second", 61), ("third", 3600)):
        (tmp_path / "token").write_text(token)
        clock[0] += timedelta(seconds=seconds)
        annotations._last = -1e9
        annotations(Progress(images_total=2, images_done=1, images_failed=0, images_per_second=1))
    assert sent == ["bearer first", "bearer second", "bearer third"]


def test_the_response_to_progress_says_how_many_executors_are_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kubernetes.config.load_incluster_config", lambda: None)
    answers: list[dict[str, str] | Exception | None] = [
        *({"featx.dev/executors": "5"}, {"featx.dev/executors": "many"}, {"featx.dev/executors": "900"}, None),
        *({"featx.dev/executors": "3"}, ApiException(status=500), OSError()),
    ]

    def patched(*_: object, **__: object) -> SimpleNamespace:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(metadata=SimpleNamespace(annotations=answer))

    monkeypatch.setattr("kubernetes.client.CoreV1Api", lambda: SimpleNamespace(patch_namespaced_pod=patched))
    annotations = Annotations(Cluster("good-1-driver", "team", "10.0.0.7", "featx/job:1", ""), job(most_executors=8))

    def reported() -> int | None:
        annotations._last = -1e9
        return annotations(Progress(images_total=2, images_done=1))

    assert [reported() for _ in range(4)] == [5, None, 8, None]
    assert [reported() for _ in range(3)] == [3, 3, 3], "a failed report changes nothing"
    assert annotations(Progress(images_total=2, images_done=1)) == 3, "nor does one that is left out"
