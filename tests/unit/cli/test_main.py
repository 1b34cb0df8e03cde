"""What the command line prints before any command runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from featx_cli.__main__ import main

from tools.version import version

COMMANDS = ["run", "read", "retry-failed", "similar", "duplicates", "compact", "fit-deepbit", "import"]


@pytest.fixture
def table(tmp_path: Path) -> str:
    features = np.array([[1, 0], [1, 0.01], [0, 1]], np.float32)
    rows = {"key": ["a", "b", "c"], "feature": list(features), "width": [2, 1, 1], "height": [1, 1, 1]}
    pq.write_table(pa.table(rows), tmp_path / "part.parquet")
    (tmp_path / "_SUCCESS").touch()
    return str(tmp_path)


def test_the_version_is_the_projects(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"featx {version()}\n"


def test_help_lists_each_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("    ") and line[4] != " "] == COMMANDS


@pytest.mark.parametrize("command", ["similar", "duplicates", "read"])
def test_the_output_format_is_chosen_in_one_way(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    shown = capsys.readouterr().out
    assert "--format {text,json" in shown
    assert "--json" not in shown


@pytest.mark.parametrize(
    ("format_", "expected"),
    [
        ("text", "a\n  0.0000  b\n"),
        ("json", '[[{"key": "a", "distance": 0.0}, {"key": "b", "distance": 4.9948692321777344e-05}]]\n'),
        ("csv", "group,key,distance\n0,a,0.0\n0,b,4.9948692321777344e-05\n"),
    ],
)
def test_duplicates_are_printed_in_each_format(
    table: str, format_: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["duplicates", table, "--format", format_]) == 0
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize(
    ("format_", "start"),
    [("text", "0.0000  b\n1.0000  c"), ("json", '[{"key": "b", "distance": 4'), ("csv", "key,distance\nb,4")],
)
def test_similar_images_are_printed_in_each_format(
    table: str, format_: str, start: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["similar", table, "--key", "a", "--format", format_]) == 0
    assert capsys.readouterr().out.startswith(start)


@pytest.mark.parametrize("command", [["similar", "--key", "a"], ["duplicates", "--threshold", "2"]])
@pytest.mark.parametrize("format_", ["text", "json"])
def test_a_key_from_a_table_cannot_steer_the_terminal(
    command: list[str], format_: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    features = np.array([[1, 0], [1, 0.01]], np.float32)
    rows = {"key": ["a", "b\x1b[2J\nforged"], "feature": list(features), "width": [2, 1], "height": [1, 1]}
    pq.write_table(pa.table(rows), tmp_path / "part.parquet")
    (tmp_path / "_SUCCESS").touch()
    name, *options = command
    assert main([name, str(tmp_path), *options, "--format", format_]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert r"\nforged" in shown


def test_an_error_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["similar", "/tmp/none\x1b[2J", "--key", "a"]) == 2
    shown = capsys.readouterr().err
    assert "\x1b" not in shown
    assert r"\x1b[2J" in shown


def test_a_reader_that_has_enough_causes_no_traceback(table: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "featx_cli", "duplicates", table, "--format", "csv"]
    outcome = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (outcome.returncode, outcome.stderr) == (141, "")


@pytest.mark.parametrize("arguments", [["similar", "--key", "a"], ["duplicates"]])
def test_a_table_without_bits_is_not_compared_by_bits(
    arguments: list[str], table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    part = Path(table) / "part.parquet"
    rows = pq.read_table(part)
    pq.write_table(rows.append_column("bits", pa.nulls(rows.num_rows, pa.binary())), part)
    assert main([arguments[0], table, *arguments[1:], "--by", "bits"]) == 2
    assert "rows have no bits: its run did not set extractor.binarize; compare by feature" in capsys.readouterr().err


def test_distances_are_never_below_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    feature = np.random.default_rng(0).normal(size=999).astype(np.float32)
    rows = {"key": [str(number) for number in range(9)], "feature": [feature * (1 + number) for number in range(9)]}
    pq.write_table(pa.table(rows), tmp_path / "part.parquet")
    (tmp_path / "_SUCCESS").touch()
    assert main(["similar", str(tmp_path), "--key", "0"]) == 0
    assert "-" not in capsys.readouterr().out


@pytest.mark.parametrize("cores", ["0", "-1", "two"])
def test_a_number_of_cores_is_one_or_more(cores: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--cores", cores])
    assert f"--cores: {cores!r}: must be a whole number, 1 or more" in capsys.readouterr().err
