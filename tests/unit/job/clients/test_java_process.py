"""The JVM's process, with a shell script in its place: when it is up, and that nothing of it stays."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from featx_job.clients import java_process
from featx_job.clients.java_process import CONNECTION_FILE, Gateway, JavaProcess

# Port 258, and a secret of four bytes; then until its standard input ends.
CONNECT = rf"file=${CONNECTION_FILE}; printf '\000\000\001\002\000\000\000\004abcd' > $file.new; mv $file.new $file;"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(java_process, "SECONDS_TO_END", 0.2)
    monkeypatch.setenv("FOLDER", str(tmp_path))
    yield tmp_path


def launched(script: str) -> JavaProcess:
    return JavaProcess(["sh", "-c", script])


def is_running(folder: Path, name: str) -> bool:
    try:
        pid = (folder / name).read_text().strip()
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists() or not path.read_text().strip():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_jvm_that_listens_is_reached_and_stops_when_it_is_told_to(folder: Path) -> None:
    process = launched(f"{CONNECT} echo $$ > $FOLDER/pid; cat > /dev/null")
    assert process.gateway() == Gateway(258, "abcd")
    process.stop(20)
    assert not is_running(folder, "pid")


def test_whatever_was_started_ends_while_it_is_still_starting(folder: Path) -> None:
    process = launched("sleep 300 & echo $! > $FOLDER/child; echo $$ > $FOLDER/pid; wait")
    wait_for(folder / "child")
    wait_for(folder / "pid")
    began = time.monotonic()
    process.end()
    assert time.monotonic() - began < 5
    assert not is_running(folder, "pid")
    while is_running(folder, "child"):  # init, or another, has to notice
        assert time.monotonic() - began < 20


def test_a_jvm_that_does_not_stop_is_killed(folder: Path) -> None:
    process = launched(f"{CONNECT} echo $$ > $FOLDER/pid; sleep 300")
    process.gateway()
    wait_for(folder / "pid")
    process.end()
    assert not is_running(folder, "pid")


def test_a_jvm_that_exits_as_it_starts_is_an_error_with_its_code(folder: Path) -> None:
    with pytest.raises(RuntimeError, match="exit code 7"):
        launched("exit 7").gateway()
    with pytest.raises(RuntimeError, match="No such file"):
        JavaProcess([str(folder / "none")]).gateway()


def test_ctrl_c_in_a_terminal_does_not_reach_the_jvm(folder: Path) -> None:
    process = launched(f"{CONNECT} echo $$ > $FOLDER/pid; cat > /dev/null")
    process.gateway()
    wait_for(folder / "pid")
    assert os.getsid(int((folder / "pid").read_text())) != os.getsid(0)
    process.end()


def test_no_folder_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    launched(f"{CONNECT} cat > /dev/null").end()
    for script in (f"{CONNECT} cat > /dev/null", "exit 7"):
        process = launched(script)
        with suppress(RuntimeError):
            process.gateway()
        process.end()
    assert list(folder.glob("featx-java-*")) == []
    assert isinstance(process._process, subprocess.Popen)


def test_a_jvm_that_works_is_waited_for_and_one_that_does_nothing_is_not() -> None:
    code = (
        "import sys, time\nsys.stdin.readline()\nend = time.process_time() + 1\nwhile time.process_time() < end: pass"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            java_process.wait_while_working(process, 2)
        assert process.stdin is not None
        process.stdin.close()
        java_process.wait_while_working(process, 2)
    assert process.returncode == 0
