"""Keeps two processes from doing the same run at once: the second one would compute all of it, in silence.

The holder of a run is the newest of the numbered files below `_featx/UID/locks`. To take over from one that is dead, a
process creates the next number, which exactly one of several can. A later attempt takes over at once, and in a cluster
so does another driver of the same attempt: the operator knows which one counts. Elsewhere a holder on the same machine
is dead if its process is, and one on another machine if its file stays the same for a while: no clocks are compared.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
import uuid
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from featx_api.contract import JobSpec
from featx_api.failures import FailureClass

from featx_job.failures import RunFailure
from featx_job.table.run_files import RUNS, RunFiles
from featx_job.table.storage import Storage

LOCKS = "locks"
BEAT_SECONDS = 5.0
SILENT_SECONDS = 3 * BEAT_SECONDS  # after which a holder on another machine is dead
POLL_SECONDS = 0.5

LOG = logging.getLogger(__name__)
_RELEASED: set[str] = set()  # tokens of this process's own locks, which may stay behind


@dataclass(frozen=True)
class Holder:
    """A process that does a run.

    Attributes:
        token: Tells holders apart.
        host: Its machine's name, for people.
        machine: Identifies the machine as long as it is up, and the container; empty if the system does not say.
        pid: Its process.
        birth: When the process started, in the system's own unit; tells it from a later process of the same number.
        since: When it began, for people.
        attempt: Number of the attempt.
        beats: How many times it has shown that it is alive.
    """

    token: str
    host: str
    machine: str
    pid: int
    birth: str
    since: str
    attempt: int
    beats: int = 0

    @classmethod
    def here(cls, attempt: int) -> Holder:
        """Return this process."""
        pid, since = os.getpid(), datetime.now(UTC).isoformat(timespec="seconds")
        return cls(uuid.uuid4().hex, socket.gethostname(), _machine(), pid, _birth(pid), since, attempt)

    @property
    def is_here(self) -> bool:
        """Whether it runs, or ran, on this machine."""
        return bool(self.machine) and self.machine == _machine()


NOBODY = Holder("", "an unknown machine", "", 0, "", "an unknown time", 0)  # of a damaged file


class RunLock:
    """Holds a run while the block runs. Shows regularly that this process is alive, except in a cluster."""

    def __init__(self, files: RunFiles, job: JobSpec, in_cluster: bool) -> None:
        """Prepare; nothing is written yet.

        Args:
            files: The run's files.
            job: The attempt.
            in_cluster: Whether an operator decides which attempt counts.
        """
        self._files, self._in_cluster = files, in_cluster
        self._storage, self._folder = files.storage, locks_folder(files.uid)
        self._me, self._path = Holder.here(job.attempt), ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="run-lock", daemon=True)

    def __enter__(self) -> RunLock:
        """Take the run.

        Raises:
            RunFailure: OutputBusy, if another process holds it.
        """
        while not self._path:
            self._try()
        if not self._in_cluster:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Give the run back."""
        self._ended.set()
        if not self._in_cluster:
            self._thread.join(BEAT_SECONDS)  # a beat that is under way would write the file once more
        _RELEASED.add(self._me.token)
        if not (isinstance(error, RunFailure) and error.class_ == FailureClass.STORE_UNREACHABLE):
            self._remove([self._path])  # an unresponsive store would be waited for once more

    def _try(self) -> None:
        numbers = _numbers(self._storage, self._folder)
        holder = _read(self._storage, f"{self._folder}/{numbers[-1]}.json") if numbers else None
        if numbers and not holder:
            return  # given back in between
        if holder and not self._may_replace(holder):
            raise RunFailure(FailureClass.OUTPUT_BUSY, f"spec.output.uri: {self._files.uri} {_busy(holder)}")
        number = numbers[-1] + 1 if numbers else 0
        path = f"{self._folder}/{number}.json"
        if not _create(self._storage, path, self._me):
            return  # another one was faster
        if _numbers(self._storage, self._folder)[-1:] != [number]:
            self._remove([path])  # another one has taken over from the holder, whose lock was gone already
        else:
            self._path = path
            self._remove([f"{self._folder}/{number}.json" for number in numbers])

    def _remove(self, paths: list[str]) -> None:
        """Remove locks that count no more: whoever may write to a bucket need not be allowed to remove anything."""
        try:
            self._storage.remove(paths)
        except RunFailure as failure:
            LOG.warning("a lock stays behind, without effect: %s", failure)

    def _may_replace(self, holder: Holder) -> bool:
        if self._in_cluster or holder.attempt < self._me.attempt:
            return holder.attempt <= self._me.attempt
        return not is_alive(self._storage, self._folder, holder)

    def _beat(self) -> None:
        """Show that this process is alive until the block ends, or another process has taken over."""
        while not self._ended.wait(BEAT_SECONDS):
            self._me = replace(self._me, beats=self._me.beats + 1)
            try:
                self._storage.write(self._path, _to_json(self._me))
            except Exception as error:  # a store that is silent now may respond to the next beat
                LOG.warning("the lock %s could not be renewed: %s", self._path, type(error).__name__)


def locks_folder(uid: str) -> str:
    """Return the folder of a run's locks, below its output."""
    return f"{RUNS}/{uid}/{LOCKS}"


def holder_of(storage: Storage, uid: str, *, check: bool = True) -> Holder | None:
    """Return the live process that does a run, or None.

    Args:
        storage: Files below the run's output.
        uid: The run's.
        check: Whether to return only a process that is alive, which takes some seconds if it is on another machine.
    """
    folder = locks_folder(uid)
    numbers = _numbers(storage, folder)
    holder = _read(storage, f"{folder}/{numbers[-1]}.json") if numbers else None
    if holder is None or holder.token in _RELEASED:
        return None
    return holder if not check or is_alive(storage, folder, holder) else None


def is_alive(storage: Storage, folder: str, holder: Holder) -> bool:
    """Return whether a holder is alive; this takes some seconds if it is on another machine.

    Args:
        storage: Files below the output.
        folder: Of the locks.
        holder: The newest holder.
    """
    if holder.token in _RELEASED:
        return False
    if holder.is_here:
        return _birth(holder.pid) == holder.birth
    deadline = time.monotonic() + SILENT_SECONDS
    while time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        numbers = _numbers(storage, folder)
        now = _read(storage, f"{folder}/{numbers[-1]}.json") if numbers else None
        if now != holder:
            return now is not None
    return False


def _busy(holder: Holder) -> str:
    where = f"process {holder.pid} on {holder.host}"
    return f"is being written by this run already ({where}, since {holder.since}); wait for it, or stop it"


def _numbers(storage: Storage, folder: str) -> list[int]:
    stems = (Path(file.name).stem for file in storage.files(folder))
    return sorted(int(stem) for stem in stems if stem.isdecimal())


def _read(storage: Storage, path: str) -> Holder | None:
    data = storage.read(path)
    try:
        return None if data is None else Holder(**json.loads(data))
    except (TypeError, ValueError):
        return NOBODY


def _create(storage: Storage, path: str, holder: Holder) -> bool:
    try:
        return storage.create(path, _to_json(holder))
    except RunFailure as failure:
        if failure.class_ != FailureClass.OUTPUT_NOT_WRITABLE:
            raise
        storage.write(path, _to_json(holder))  # such a store can't tell two that start in the same moment apart
        return True


def _to_json(holder: Holder) -> bytes:
    return json.dumps(asdict(holder)).encode()


def _machine() -> str:
    """Return what identifies this boot of this machine, and the container: process numbers mean the same within it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _birth(pid: int) -> str:
    """Return when a process started; empty if there is none, or only its remains."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else fields[18]
