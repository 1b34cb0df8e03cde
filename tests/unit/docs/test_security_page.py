"""Every test that the security model names exists, and every policy test is named there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/security.md").read_text()
NAMED = set(re.findall(r"`(test_\w+)`", PAGE))


def functions(folder: str) -> set[str]:
    """The names of all test functions below a folder."""
    files = (ROOT / folder).rglob("test_*.py")
    return {name for path in files for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE)}


def test_every_named_test_exists() -> None:
    assert len(NAMED) > 30
    assert NAMED - functions("tests") == set()


def test_every_test_of_rights_is_behind_a_statement() -> None:
    comparisons = {"test_without_policies_a_driver_deletes_the_pods_of_others"}
    assert functions("tests/e2e/rights") - comparisons - NAMED == set()


def test_the_page_of_attacks_names_all_that_are_tried_with_a_drivers_token() -> None:
    page = (ROOT / "docs/security-attacks.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", page))
    assert named - functions("tests") == set()
    text = (ROOT / "tests/e2e/rights/attacks.py").read_text()
    ids = re.findall(r'Attack\(\s*"([^"]+)"', text)
    assert len(ids) > 60
    assert [name for name in ids if f"| executor: {name} |" not in page] == []
