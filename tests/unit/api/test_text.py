"""Text from outside can be shown anywhere, and is bounded."""

from __future__ import annotations

import json

import pytest
from featx_api.contract import Outcome
from featx_api.status import Condition, Failure, Progress
from featx_api.text import printable, shortened, shortened_to_bytes
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

ANYTHING = st.text(st.characters(codec=None, categories=None), max_size=200)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünïcode 图像 😀", "plain ünïcode 图像 😀"),
        ("two\nlines\tand a tab", "two lines and a tab"),
        ("\x1b[2J\x1b]0;title\x07", "�[2J�]0;title�"),
        ("a\N{RIGHT-TO-LEFT OVERRIDE}b\N{ZERO WIDTH SPACE}c", "a�b�c"),
        ("\x9b31m", "�31m"),
        ("a\ud800b", "a�b"),
        ("line\N{LINE SEPARATOR}separator\N{NO-BREAK SPACE}here", "line separator here"),
    ],
)
def test_what_can_not_be_shown_is_replaced(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert Failure(class_="X", message=text).message == shown


@given(ANYTHING)
def test_any_text_becomes_printable_and_can_be_sent(text: str) -> None:
    assert printable(text).isprintable()
    json.dumps(printable(text), ensure_ascii=False).encode()
    assert len(printable(text)) == len(text)


@given(ANYTHING, st.integers(4, 50))
def test_shortened_text_keeps_to_its_limit(text: str, limit: int) -> None:
    assert len(shortened(text, limit)) <= limit
    assert len(shortened_to_bytes(text, limit).encode()) <= limit


def test_short_text_stays_as_it_is() -> None:
    assert shortened("äöü", 3) == "äöü"
    assert shortened_to_bytes("äöü", 6) == "äöü"
    assert shortened("äöüß", 3) == "äö…"
    assert shortened_to_bytes("äöü", 5) == "ä…"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "-1", "9007199254740994", "1e400", "1e300"])
@pytest.mark.parametrize("field", ["imagesDone", "imagesTotal", "imagesFailed", "imagesPerSecond", "etaSeconds"])
def test_a_number_that_is_none_or_too_large_is_malformed(field: str, number: str) -> None:
    with pytest.raises(ValidationError):
        Progress.model_validate_json(f'{{"{field}": {number}}}')


def test_an_outcome_with_too_many_outputs_is_malformed() -> None:
    table = {"uri": "s3://a/b", "kind": "features", "format": "delta", "recordCount": 1, "bytes": 1}
    with pytest.raises(ValidationError):
        Outcome.model_validate({"result": "Succeeded", "outputs": [table] * 9})


def test_a_percentage_never_exceeds_a_hundred() -> None:
    assert Progress(images_done=2**53, images_total=1).percent == 100


def test_a_condition_never_carries_an_escape() -> None:
    condition = Condition.model_validate(
        {
            "type": "Stalled",
            "status": "True",
            "reason": "X",
            "message": "\x1b[31m",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
    )
    assert condition.message == "�[31m"
