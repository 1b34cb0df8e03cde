"""A run's temporary folder goes with it, or with the next run if it was killed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from featx_cli import work_folder

PROGRAM = """
from featx_cli import work_folder
with work_folder.created() as folder:
    print(folder, flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_a_folder_goes_with_everything_in_it(temporary: Path) -> None:
    with work_folder.created() as folder:
        (folder / "a").mkdir()
        (folder / "a" / "b").touch()
    assert list(temporary.iterdir()) == []


def test_the_folder_of_a_killed_run_is_removed_and_that_of_a_live_one_stays(temporary: Path) -> None:
    program = (
        "from featx_cli import work_folder\nwith work_folder.created() as folder: print(folder, flush=True); input()"
    )
    command = [sys.executable, "-c", program]
    runs = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    killed, alive = (Path(run.stdout.readline().strip()) for run in runs if run.stdout)
    (killed / "model").write_bytes(b"weights")
    runs[0].kill()
    runs[0].communicate()
    with work_folder.created() as folder:
        assert set(temporary.iterdir()) == {alive, folder}
    runs[1].communicate("")
    assert list(temporary.iterdir()) == []


def test_what_else_is_there_stays(temporary: Path) -> None:
    (temporary / "featx-runs").mkdir()
    (temporary / "outside").mkdir()
    (temporary / "featx-run-link").symlink_to("outside")
    (temporary / "featx-run-file").touch()
    with work_folder.created():
        pass
    assert len(list(temporary.iterdir())) == 4
