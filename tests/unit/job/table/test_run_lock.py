"""Two processes never do one run at once, and a dead one keeps nobody waiting."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from featx_api.contract import JobSpec
from featx_api.failures import FailureClass
from featx_job.failures import RunFailure
from featx_job.local_files import on_this_machine
from featx_job.table import run_lock
from featx_job.table.run_files import RunFiles
from featx_job.table.run_lock import Holder, RunLock
from featx_job.table.storage.local import LocalStorage

from tests.support.bad_resources import good

FOLDER = run_lock.locks_folder("mine")


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_lock, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(run_lock, "SILENT_SECONDS", 0.5)
    monkeypatch.setattr(run_lock, "POLL_SECONDS", 0.02)


def lock(root: Path, attempt: int = 1, in_cluster: bool = False) -> RunLock:
    files = RunFiles(LocalStorage(on_this_machine(root, "spec.output.uri")), "mine", "file:///table")
    job = JobSpec(name="shop", namespace="team", uid="mine", attempt=attempt, spec=good()["spec"])
    return RunLock(files, job, in_cluster)


def locks(root: Path) -> list[Path]:
    return sorted((root / FOLDER).glob("*.json"))


def leave(root: Path, holder: Holder, number: int = 0) -> Path:
    path = root / FOLDER / f"{number}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(holder)))
    return path


def test_a_second_process_is_refused_and_learns_who_holds_the_run(tmp_path: Path) -> None:
    holder = Holder.here(1)
    with lock(tmp_path), pytest.raises(RunFailure) as refusal, lock(tmp_path):
        pass
    assert refusal.value.class_ == "OutputBusy"
    assert f"process {holder.pid} on {holder.host}" in str(refusal.value)
    assert "file:///table" in str(refusal.value)


def test_a_run_that_has_ended_leaves_no_lock(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), lock(tmp_path):
        raise ZeroDivisionError
    assert locks(tmp_path) == []
    with lock(tmp_path):
        assert len(locks(tmp_path)) == 1


def test_a_process_that_died_on_this_machine_is_replaced_at_once(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    leave(tmp_path, replace(Holder.here(1), pid=gone.pid))
    started = time.monotonic()
    with lock(tmp_path):
        assert [path.name for path in locks(tmp_path)] == ["1.json"]
    assert time.monotonic() - started < run_lock.SILENT_SECONDS


def test_another_process_that_got_the_number_of_a_dead_one_is_not_taken_for_it(tmp_path: Path) -> None:
    leave(tmp_path, replace(Holder.here(1), birth="1"))
    with lock(tmp_path):
        pass


def test_a_killed_process_that_nobody_has_waited_for_is_dead(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    holder = replace(Holder.here(1), pid=process.pid, birth=run_lock._birth(process.pid))
    leave(tmp_path, holder)
    with pytest.raises(RunFailure), lock(tmp_path):
        pass
    process.kill()
    while run_lock._birth(process.pid):
        time.sleep(0.01)
    with lock(tmp_path):
        pass
    process.communicate()


def test_a_holder_on_another_machine_is_replaced_once_it_is_silent(tmp_path: Path) -> None:
    leave(tmp_path, replace(Holder.here(1), machine="elsewhere"))
    started = time.monotonic()
    with lock(tmp_path):
        assert time.monotonic() - started >= run_lock.SILENT_SECONDS


def test_a_holder_on_another_machine_that_beats_is_left_alone(tmp_path: Path) -> None:
    elsewhere = replace(Holder.here(1), machine="elsewhere")
    path, ended = leave(tmp_path, elsewhere), threading.Event()

    def beat() -> None:
        for beats in range(1000):
            if ended.wait(0.02):
                return
            new = path.with_suffix(".new")
            new.write_text(json.dumps(asdict(replace(elsewhere, beats=beats))))
            new.replace(path)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(beat)
        with pytest.raises(RunFailure, match=r"spec\.output\.uri"), lock(tmp_path):
            pass
        ended.set()


def test_a_holder_shows_that_it_is_alive(tmp_path: Path) -> None:
    with lock(tmp_path):
        (path,) = locks(tmp_path)
        before = path.read_bytes()
        wait_until(lambda: path.read_bytes() != before)


def test_a_damaged_lock_counts_as_silent(tmp_path: Path) -> None:
    leave(tmp_path, Holder.here(1)).write_bytes(b"{")
    with lock(tmp_path):
        pass


def test_of_several_that_find_a_dead_holder_one_takes_over(tmp_path: Path) -> None:
    leave(tmp_path, replace(Holder.here(1), birth="1"))
    barrier, holding = threading.Barrier(8), threading.Event()

    def take(_: int) -> bool:
        barrier.wait()
        try:
            with lock(tmp_path):
                holding.wait(10)
                return True
        except RunFailure:
            return False

    with ThreadPoolExecutor(8) as pool:
        taken = [pool.submit(take, index) for index in range(8)]
        wait_until(lambda: sum(future.done() for future in taken) == 7)
        holding.set()
    assert sorted(future.result() for future in taken) == [False] * 7 + [True]


def test_an_unresponsive_store_is_not_waited_for_again_and_its_lock_has_no_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RunFailure, match="silent"), lock(tmp_path):
        monkeypatch.setattr(LocalStorage, "remove", lambda *_: pytest.fail("the store is silent"))
        raise RunFailure(FailureClass.STORE_UNREACHABLE, "silent")
    monkeypatch.undo()
    assert len(locks(tmp_path)) == 1
    with lock(tmp_path):
        pass


def test_who_may_not_remove_anything_can_still_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RunFailure(FailureClass.ACCESS_DENIED, "no")

    monkeypatch.setattr(LocalStorage, "remove", refuse)
    for number in range(3):
        with lock(tmp_path):
            assert len(locks(tmp_path)) == number + 1


def test_a_store_that_cannot_create_exclusively_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RunFailure(FailureClass.OUTPUT_NOT_WRITABLE, "no hard links")

    monkeypatch.setattr(LocalStorage, "create", refuse)
    with lock(tmp_path), pytest.raises(RunFailure, match="written by this run already"), lock(tmp_path):
        pass


def test_a_later_attempt_takes_over_from_a_live_process(tmp_path: Path) -> None:
    with lock(tmp_path), lock(tmp_path, attempt=2):
        wait_until(lambda: (tmp_path / FOLDER / "1.json").exists())


@pytest.mark.parametrize("attempt", [1, 2])
def test_in_a_cluster_the_operators_next_driver_takes_over_at_once(tmp_path: Path, attempt: int) -> None:
    with lock(tmp_path, in_cluster=True), lock(tmp_path, attempt, in_cluster=True):
        assert [path.name for path in locks(tmp_path)] == ["1.json"]


def test_in_a_cluster_an_attempt_that_was_replaced_does_not_return(tmp_path: Path) -> None:
    with lock(tmp_path, 2, in_cluster=True), pytest.raises(RunFailure) as refusal, lock(tmp_path, 1, in_cluster=True):
        pass
    assert refusal.value.class_ == "OutputBusy"


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
