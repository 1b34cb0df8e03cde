"""`python -m examples.cluster` names each of its commands wherever it introduces them."""

from __future__ import annotations

import argparse

from examples.cluster import __main__ as cluster
from tools.version import ROOT


def commands() -> list[str]:
    (group,) = (part for part in cluster._parser()._actions if isinstance(part, argparse._SubParsersAction))
    return list(group.choices)


def test_the_docstring_and_the_page_have_each_command() -> None:
    page = (ROOT / "examples" / "cluster" / "README.md").read_text()
    assert len(commands()) > 5
    assert cluster.__doc__ is not None
    for command in commands():
        assert f"python -m examples.cluster {command}" in page
        assert command in cluster.__doc__.split("`")[1].split()[-1].split("|")
