"""The terminal shows only Featx's own output; library output goes to a file."""

from __future__ import annotations

import io
import os
import subprocess
import unicodedata
from pathlib import Path

import pytest
from featx_cli import terminal
from featx_cli.terminal import redirected_to
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console


def test_library_output_goes_to_the_log_and_ours_to_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "logs" / "run.log"
    with redirected_to(log) as terminal:
        os.write(1, b"native\n")
        subprocess.run(["sh", "-c", "echo jvm; echo warning >&2"], check=True)
        terminal.write("ours\n")
    os.write(2, b"after\n")
    assert sorted(log.read_text().split()) == ["jvm", "native", "warning"]
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("ours\n", "after\n")


def test_the_terminal_is_restored_when_the_block_fails(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="x"), redirected_to(tmp_path / "log"):
        raise ValueError("x")
    os.write(1, b"back\n")
    assert capfd.readouterr().out == "back\n"


@given(st.text())
def test_a_line_from_elsewhere_holds_nothing_that_a_terminal_obeys(text: str) -> None:
    line = terminal.printable(text)
    assert not [letter for letter in line if unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
    line.encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
        ("a\rb\nc\td\x08", r"a\rb\nc\td\x08"),
        ("\x9b31m", r"\x9b31m"),
        ("photo\u202egpj.exe", r"photo\u202egpj.exe"),
        ("caf\udce9.jpg", r"caf\udce9.jpg"),
        ("größe 写真 [red]", "größe 写真 [red]"),
    ],
)
def test_control_characters_are_shown_escaped_and_others_as_they_are(text: str, shown: str) -> None:
    assert terminal.printable(text) == shown
    output = io.StringIO()
    terminal.show(Console(file=output, force_terminal=False, width=200), text)
    assert output.getvalue() == f"{shown}\n"


def test_lines_stay_lines(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.write("first\n  second\x1b[1m")
    assert capsys.readouterr().out == "first\n  second\\x1b[1m\n"


def test_a_csv_row_is_escaped_for_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert terminal.cells(["a\x1b", 0.5]) == ["a\x1b", 0.5]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert terminal.cells(["a\x1b", 0.5]) == [r"a\x1b", 0.5]
