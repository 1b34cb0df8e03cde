"""docs/reference/cli.md has every command of `featx` and each of its options."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from featx_cli.commands import parser

PAGE = (Path(__file__).resolve().parents[3] / "docs/reference/cli.md").read_text()
SHARED = PAGE.split("## Options of commands that read a source")[1].split("\n## ")[0]


def commands(parser: argparse.ArgumentParser, name: str = "featx") -> Iterator[tuple[str, set[str]]]:
    """Each command without subcommands, with the names of its long options."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for group in groups:
        for word, part in group.choices.items():
            yield from commands(part, f"{name} {word}")
    if not groups:
        options = {option for action in parser._actions for option in action.option_strings if option.startswith("--")}
        yield name, options - {"--help"}


COMMANDS = dict(commands(parser()))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_and_its_options_are_documented(command: str) -> None:
    options = COMMANDS[command]
    sections = [part for part in PAGE.split("\n## ") if part.startswith(f"`{command} ")]
    assert len(sections) == 1
    documented = set(re.findall(r"`(--[\w-]+)", sections[0]))
    if {"--secrets", "--claims"} <= options:
        documented |= set(re.findall(r"`(--[\w-]+)", SHARED))
    assert documented == options
