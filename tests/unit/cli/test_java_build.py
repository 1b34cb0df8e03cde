"""Processes that need the same jars wait for one build of them; all others never wait."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from featx_cli import java_build

BUILD = [sys.executable, "-m", "featx_cli.java_build"]


@pytest.fixture(autouse=True)
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of builds, in a cache of the test's own; Maven is not there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("FEATX_JARS", raising=False)
    folder = tmp_path / "featx" / "engine"
    folder.mkdir(parents=True)
    return folder


def build(engine: Path) -> Path:
    """A finished build of this source: jars and the class archive."""
    built = engine / java_build._digest(java_build.JAVA_SOURCE)
    built.mkdir()
    (built / "featx.jar").touch()
    java_build._archive(built).touch()
    return built


@contextmanager
def locked(file: Path) -> Iterator[None]:
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_finished_jars_are_used_while_another_source_is_being_built(engine: Path) -> None:
    built = build(engine)
    with locked(engine / "lock"), locked(engine / "0123456789abcdef.lock"):
        shown = subprocess.run(BUILD, capture_output=True, text=True, timeout=60, check=True)
    assert (shown.stdout, shown.stderr) == (f"{built}\n", "")


def test_who_waits_for_a_build_of_the_same_source_says_so_and_gets_its_jars(engine: Path) -> None:
    with locked(engine / f"{java_build._digest(java_build.JAVA_SOURCE)}.lock"):
        waiting = subprocess.Popen(BUILD, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert waiting.stderr is not None
        assert waiting.stderr.readline() == "waiting for another process that is building the Java part\n"
        built = build(engine)
    assert waiting.communicate(timeout=60) == (f"{built}\n", "")


def test_without_a_build_a_missing_maven_is_reported(engine: Path) -> None:
    failed = subprocess.run(BUILD, capture_output=True, text=True, timeout=60, check=False)
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: javac is not on PATH: install it first")
