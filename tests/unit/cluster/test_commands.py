"""The page of `python -m examples.cluster` introduces each of its commands."""

from __future__ import annotations

import argparse

from examples.cluster import __main__ as cluster
from tools.version import ROOT


def commands() -> list[str]:
    (group,) = (part for part in cluster._parser()._actions if isinstance(part, argparse._SubParsersAction))
    return list(group.choices)


def test_the_page_has_each_command() -> None:
    page = (ROOT / "examples" / "cluster" / "README.md").read_text()
    assert len(commands()) > 5
    for command in commands():
        assert f"python -m examples.cluster {command}" in page
