"""A pid file must never lead to a process other than the one that was started."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.cluster import paths, processes


@pytest.fixture
def sleeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A running process recorded in a pid file as `sleeper`."""
    monkeypatch.setattr(paths, "PIDS", tmp_path)
    with subprocess.Popen(["sleep", "60"]) as process:
        record(process.pid, processes.start_time(process.pid))
        yield process
        process.kill()


def record(pid: int, started: int | None) -> None:
    (paths.PIDS / "sleeper.json").write_text(json.dumps({"pid": pid, "started": started}))


def test_a_running_process_is_found(sleeper: subprocess.Popen[bytes]) -> None:
    assert processes.running("sleeper") == sleeper.pid
    assert processes.recorded() == ["sleeper"]


def test_a_pid_reused_by_another_process_is_not_ours(sleeper: subprocess.Popen[bytes]) -> None:
    started = processes.start_time(sleeper.pid)
    assert started is not None
    record(sleeper.pid, started - 1)
    assert processes.running("sleeper") is None
    processes.stop("sleeper")
    assert sleeper.poll() is None, "stop() ended a process that was not ours"
    assert processes.recorded() == []


def test_a_zombie_process_is_not_running(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert processes.running("sleeper") is None


def test_a_torn_pid_file_names_no_process(sleeper: subprocess.Popen[bytes]) -> None:
    (paths.PIDS / "sleeper.json").write_text('{"pid": ')
    assert processes.running("sleeper") is None


def test_stop_kills_a_process_that_ignores_sigterm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "PIDS", tmp_path)
    script = "trap '' TERM; echo ready; while :; do read -t 1 _ <> <(:); done"
    with subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        record(process.pid, processes.start_time(process.pid))
        processes.stop("sleeper", grace=0.2)
        assert process.wait(timeout=5) == -9


def test_a_name_with_spaces_and_parentheses_does_not_shift_the_fields(tmp_path: Path) -> None:
    program = tmp_path / "odd ) S 1 (name"
    program.write_text("#!/bin/bash\necho ready; read _\n")
    program.chmod(0o755)
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as odd:
        assert odd.stdout is not None
        odd.stdout.readline()
        own = processes.start_time(os.getpid())
        started = processes.start_time(odd.pid)
        assert own is not None
        assert started is not None
        assert started >= own
        odd.communicate(b"\n")
