"""The termination message always fits, and is always the outcome."""

from __future__ import annotations

import json

from featx_api.contract import TERMINATION_MESSAGE_LIMIT, Outcome
from featx_api.status import Failure, OutputTable
from featx_job.driver_pod import message
from hypothesis import given
from hypothesis import strategies as st


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
