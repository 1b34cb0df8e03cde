"""Writes pyproject.toml's version into the other files that must state one: `python -m tools.version`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Each pattern matches the text around the version: the file's first match is replaced.
CHART_VERSION, APP_VERSION = r"(?m)^(version: )\S+()$", r"(?m)^(appVersion: )\S+()$"
PLACES = {
    "charts/featx/Chart.yaml": (CHART_VERSION, APP_VERSION),
    "charts/featx-crds/Chart.yaml": (CHART_VERSION, APP_VERSION),
    "jobimage/java/pom.xml": (r"(<artifactId>featx-engine</artifactId>\s*<version>)[^<]+(</version>)",),
}


def version() -> str:
    """The version of Featx: that of pyproject.toml."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def stamped(path: str) -> str:
    """The text of a file, with the version in each of its places.

    Args:
        path: One of `PLACES`, relative to the repository's root.

    Raises:
        ValueError: The file lacks a place where the version must be.
    """
    text = (ROOT / path).read_text()
    for pattern in PLACES[path]:
        text, count = re.subn(pattern, rf"\g<1>{version()}\g<2>", text, count=1)
        if not count:
            raise ValueError(f"{path}: no text matches {pattern}")
    return text


if __name__ == "__main__":
    for name in PLACES:
        (ROOT / name).write_text(stamped(name))
