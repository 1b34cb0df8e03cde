"""The page of states by example is what the tests on a node apply."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.operator.states_page import page

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "states-by-example.md"


def test_the_page_has_the_resources_that_the_tests_apply() -> None:
    assert PAGE.read_text() == page(), "run `make generate`"
