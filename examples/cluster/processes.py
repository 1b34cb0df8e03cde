"""Starts the cluster's programs, waits until each one is ready, and stops them by pid.

A pid file also contains the start time of its process: after a reboot, or after everything was killed, the pid alone
may belong to another process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from examples.cluster import network, paths
from examples.cluster.errors import ClusterError, log_tail

POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Program:
    """A long-running program of the cluster.

    Attributes:
        name: name for people, and of its pid file and log.
        arguments: the command line.
        ready: whether the program responds; called inside the network namespace.
        environment: variables besides this process's own.
    """

    name: str
    arguments: Sequence[str]
    ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return paths.LOGS / f"{self.name}.log"


def start(program: Program) -> None:
    """Start the program in the cluster's network namespace unless it is running."""
    if running(program.name) is not None:
        return
    paths.PIDS.mkdir(parents=True, exist_ok=True)
    program.log.parent.mkdir(parents=True, exist_ok=True)
    with network.inside(), program.log.open("wb") as log:
        process = subprocess.Popen(
            program.arguments,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **program.environment},
        )
    record = {"pid": process.pid, "started": start_time(process.pid)}
    _pid_file(program.name).write_text(json.dumps(record))


def wait_until_ready(program: Program, timeout: float = 60.0) -> None:
    """Wait until the program is ready.

    Raises:
        ClusterError: if it exits or is not ready within `timeout` seconds; the message ends with the end of its log.
    """
    deadline = time.monotonic() + timeout
    with network.inside():
        while not program.ready():
            if running(program.name) is None:
                raise ClusterError(_did_not_start(program, "exited during start-up"))
            if time.monotonic() > deadline:
                raise ClusterError(_did_not_start(program, f"did not become ready within {timeout:.0f} s"))
            time.sleep(POLL_SECONDS)


def running(name: str) -> int | None:
    """Return the pid of the named program if the process that was started is still running."""
    try:
        record = json.loads(_pid_file(name).read_text())
    except (FileNotFoundError, ValueError):
        return None
    started = start_time(record["pid"])
    return record["pid"] if started is not None and started == record["started"] else None


def recorded() -> list[str]:
    """Return the names of all programs that were started and not stopped, running or not."""
    return sorted(path.stem for path in paths.PIDS.glob("*.json"))


def stop(name: str, grace: float = 5.0) -> None:
    """Stop the named program, by force after `grace` seconds, and remove its pid file."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        pid = running(name)
        if pid is None:
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal_number)
        deadline = time.monotonic() + grace
        while running(name) is not None and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    _pid_file(name).unlink(missing_ok=True)


def start_time(pid: int) -> int | None:
    """Return the start time of a process in clock ticks since boot, or None if it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name is in parentheses and may itself contain some; the fields start after the last one: proc(5).
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def command_line(pid: int) -> list[str]:
    """Return the command line of a process; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def http_ok(url: str) -> bool:
    """Return whether the URL, which is on this node, responds with 200."""
    # Health ports have certificates that the programs sign themselves.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _pid_file(name: str) -> Path:
    return paths.PIDS / f"{name}.json"


def _did_not_start(program: Program, what: str) -> str:
    return f"{program.name} {what}; the log {program.log} ends with:\n{log_tail(program.log)}"
