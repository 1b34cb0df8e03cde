"""Every relative link in Markdown leads to a file of the tree and a heading of it; every page named in code exists."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def files(*patterns: str) -> list[Path]:
    """All files of the patterns that are, or can be, committed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for name in listed.stdout.splitlines() if (path := ROOT / name).exists()]


def headings(path: Path) -> set[str]:
    """Anchors of a file's headings, as GitHub makes them."""
    lines = [line.lstrip("#").strip().lower() for line in path.read_text().splitlines() if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", line).replace(" ", "-") for line in lines}


def broken(path: Path) -> list[str]:
    """The links of a file that lead nowhere."""
    links = LINK.findall(CODE.sub("", path.read_text()))
    dead = []
    for link in (link for link in links if not re.match(r"[a-z]+:", link)):
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in headings(target)):
            dead.append(link)
    return dead


@pytest.mark.parametrize("path", files("*.md"), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_resolves(path: Path) -> None:
    assert broken(path) == []


def test_every_page_that_code_names_exists() -> None:
    named = {
        (page, str(path.relative_to(ROOT)))
        for path in files("*.py", "*.java", "*.toml", "*.yaml", "Makefile", "Dockerfile", "*.sh")
        for page in re.findall(r"\bdocs/[\w/-]+\.md\b", path.read_text())
    }
    assert len(named) > 5
    assert {(page, path) for page, path in named if not (ROOT / page).exists()} == set()


def test_a_link_to_nothing_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One two\n[here](#one-two) [there](#three) [away](no.md) `[code](no.md)` [web](https://a.test/b)\n"
    )
    assert broken(page) == ["#three", "no.md"]
