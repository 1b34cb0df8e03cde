"""The log of a run stays its own while it runs, and is found when it has ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from featx_cli import run_log, terminal

PROGRAM = """
import sys
from pathlib import Path
from featx_cli import run_log, terminal
with run_log.created(Path(sys.argv[1])) as log, terminal.redirected_to(log) as screen:
    print(log, file=screen, flush=True)
    input()
    print("the end", flush=True)
"""


def started(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_runs_of_one_resource_at_once_have_logs_of_their_own(tmp_path: Path) -> None:
    runs = [started(tmp_path) for _ in range(3)]
    logs = [Path(run.stdout.readline().strip()) for run in runs if run.stdout]
    assert len(set(logs)) == 3
    for run in runs:
        run.communicate("\n")
    assert [log.read_text() for log in logs] == ["the end\n"] * 3


def test_the_newest_logs_of_a_resource_stay_and_that_of_a_running_one_whatever_its_age(tmp_path: Path) -> None:
    running = started(tmp_path)
    assert running.stdout is not None
    first = Path(running.stdout.readline().strip())
    logs = []
    for number in range(run_log.KEPT + 3):
        with run_log.created(tmp_path) as log, terminal.redirected_to(log):
            os.write(1, str(number).encode())
        log = log.rename(tmp_path / f"2999-01-01T00-00-{number:02}.log")  # as if a second had passed
        logs.append(log)
    assert first.exists()
    running.communicate("\n")
    assert first.read_text() == "the end\n"
    kept = [log for log in logs if log.exists()]
    assert kept == logs[-run_log.KEPT :]
    assert [log.read_text() for log in kept] == [str(number) for number in range(3, run_log.KEPT + 3)]
