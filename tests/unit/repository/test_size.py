"""Files stay short enough to read in one go (CONTRIBUTING.md)."""

from __future__ import annotations

import re
import subprocess

from tools.version import ROOT

LONGEST = 400
SOURCE = ("*.py", "*.java", "*.go", "*.md", "*Makefile", "*Dockerfile", "*.toml", "examples/*.yaml")
GENERATED = {"docs/reference/resource.md"}


def test_no_file_that_people_write_is_longer_than_the_limit() -> None:
    listed = subprocess.run(["git", "ls-files", *SOURCE], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    written = [ROOT / name for name in listed.splitlines() if name not in GENERATED]
    assert len(written) > 100
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in written if path.exists()}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_no_line_of_java_is_longer_than_editorconfig_says() -> None:
    section = (ROOT / ".editorconfig").read_text().split("[*.java]\n")[1].split("\n[")[0]
    (limit,) = re.findall(r"max_line_length = (\d+)", section)
    for path in (ROOT / "jobimage" / "java" / "src").rglob("*.java"):
        assert max(map(len, path.read_text().splitlines())) <= int(limit), path
