"""The terminal shows only Featx's own output; library output goes to a file."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from featx_cli.terminal import redirected_to


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
