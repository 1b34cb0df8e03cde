"""A call that waits for a store says so, and says when it got on."""

from __future__ import annotations

import pytest
from featx_api.failures import FailureClass
from featx_job.clients import retry
from featx_job.failures import RunFailure


def failing(times: int) -> list[int]:
    """The outcomes of calls: that many failures, then a success."""
    return [1] * times + [0]


def call(outcomes: list[int], patience: float = 5.0) -> str:
    def once() -> str:
        if outcomes.pop(0):
            raise ConnectionError("refused")
        return "result"

    def explain(error: Exception) -> RunFailure:
        return RunFailure(FailureClass.STORE_UNREACHABLE, f"the store {error}")

    return retry.with_retry(once, explain, patience)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(retry, "REPORTED_AFTER", 0.02)


def test_a_wait_is_reported_and_so_is_its_end() -> None:
    seen: list[str | None] = []
    with retry.reporting(seen.append):
        assert call(failing(5)) == "result"
    assert seen[0] == "the store refused"
    assert seen[-1] is None and seen.count(None) == 1


def test_a_short_wait_is_not_reported() -> None:
    seen: list[str | None] = []
    with retry.reporting(seen.append):
        assert call(failing(1)) == "result"
    assert seen == []


def test_a_wait_that_ends_in_a_failure_is_not_called_over() -> None:
    seen: list[str | None] = []
    with retry.reporting(seen.append), pytest.raises(RunFailure, match="refused"):
        call(failing(1000), patience=0.2)
    assert seen and None not in seen


def test_nobody_is_told_after_the_run() -> None:
    seen: list[str | None] = []
    with retry.reporting(seen.append):
        pass
    assert call(failing(5)) == "result"
    assert seen == []
