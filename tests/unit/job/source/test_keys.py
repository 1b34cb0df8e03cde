"""A name of any bytes has one key, which is text and leads back to it; Java's tests read the same golden file."""

from __future__ import annotations

from pathlib import Path

import pytest
from featx_api.name_contract import ImageKeys
from featx_api.names import ImageKey
from featx_job.source import keys
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

GOLDEN = Path(__file__).parents[4] / "jobimage/contract/golden/image-keys.json"
TRICKY = st.lists(st.sampled_from([b"\\", b"x", b"4", b"f", b"\xff", b"\xe2\x82\xac", b"\xe2", b"\n", b"/"])).map(
    b"".join
)


@pytest.mark.parametrize(("name", "key"), ImageKeys.from_json(GOLDEN.read_text()).keys)
def test_names_have_the_keys_of_the_golden_file(name: str, key: str) -> None:
    assert keys.from_bytes(bytes.fromhex(name)) == key
    assert keys.to_bytes(key) == bytes.fromhex(name)


@given(st.binary(max_size=40) | TRICKY)
def test_every_key_leads_back_to_its_name_and_can_be_in_a_resource(name: bytes) -> None:
    key = keys.from_bytes(name)
    assert keys.to_bytes(key) == name
    assert keys.from_text(keys.to_text(key)) == key
    if name:
        TypeAdapter(ImageKey).validate_python(key)


@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=40).filter(lambda name: "\\x" not in name))
def test_text_without_control_characters_is_its_own_key(name: str) -> None:
    assert keys.from_bytes(name.encode()) == name


def test_the_longest_name_of_an_object_fits_into_a_resource_whatever_its_bytes() -> None:
    TypeAdapter(ImageKey).validate_python(keys.from_bytes(b"\xff" * 1024))
