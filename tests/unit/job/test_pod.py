"""The termination message always fits, and is always the outcome."""

from __future__ import annotations

import json

from featx_api.job import TERMINATION_MESSAGE_LIMIT, Outcome
from featx_api.status import Failure
from featx_job.pod import message
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
