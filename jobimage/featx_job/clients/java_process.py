"""The process of the driver's JVM, which never outlives this one.

PySpark can launch it too, but loses a process that Ctrl-C interrupts before it has responded. Here a thread launches
it, since signals interrupt only the main thread, and the JVM has a session of its own: Ctrl-C in a terminal does not
reach it, and whatever the launching scripts have started ends with it.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

POLL_SECONDS = 0.05
SECONDS_TO_END = 5.0
LEAST_TICKS = 10  # of CPU time, by which a process works
# Where a JVM that PySpark's launcher class runs leaves its address (org.apache.spark.api.python.PythonGatewayServer).
CONNECTION_FILE = "_PYSPARK_DRIVER_CONN_INFO_PATH"

LOG = logging.getLogger(__name__)

_launched: list[JavaProcess] = []


class Gateway(NamedTuple):
    """Where a JVM listens.

    Attributes:
        port: On the loopback interface.
        secret: Without which it accepts nobody.
    """

    port: int
    secret: str


class JavaProcess:
    """A JVM."""

    def __init__(self, command: Sequence[str]) -> None:
        """Launch it; it ends with this process at the latest.

        Args:
            command: Program and arguments.
        """
        self._command, self._responded = command, False
        self._folder = tempfile.TemporaryDirectory(prefix="featx-java-")
        self._file = Path(self._folder.name) / "connection"
        self._process: subprocess.Popen[bytes] | None = None
        self._problem: OSError | None = None
        self._thread = threading.Thread(target=self._launch, name="launch-java")
        _launched.append(self)
        self._thread.start()

    def _launch(self) -> None:
        environment = os.environ | {CONNECTION_FILE: str(self._file)}
        try:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, env=environment, start_new_session=True
            )
        except OSError as error:
            self._problem = error

    def gateway(self) -> Gateway:
        """Wait until the JVM listens.

        Raises:
            RuntimeError: It exited before.
        """
        self._thread.join()
        while self._process and self._process.poll() is None and not self._file.exists():
            time.sleep(POLL_SECONDS)
        if self._process is None or not self._file.exists():
            reason = self._problem.strerror if self._problem else f"exit code {self._process and self._process.poll()}"
            raise RuntimeError(f"the JVM exited as it started ({reason})")
        data = self._file.read_bytes()
        port, length = struct.unpack_from(">ii", data)
        self._folder.cleanup()
        self._responded = True
        return Gateway(port, data[8 : 8 + length].decode())

    def stop(self, seconds: float) -> None:
        """Stop the JVM and wait until it has ended.

        Args:
            seconds: How long it may do nothing. On a busy machine it may take any time as long as it works.

        Raises:
            subprocess.TimeoutExpired: It did nothing for so long, and has not ended.
        """
        if self._process and self._process.stdin:
            self._process.stdin.close()  # at which it exits
            wait_while_working(self._process, seconds)

    def end(self) -> None:
        """Stop the JVM, or kill it if it is still starting or does not end in time."""
        if self._thread.ident is None:
            return  # interrupted before the launch
        self._thread.join()
        try:
            if self._responded:
                self.stop(SECONDS_TO_END)
        except (subprocess.TimeoutExpired, OSError):
            pass
        finally:
            if self._process and self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self._folder.cleanup()


def wait_while_working(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait until a process has ended; see `JavaProcess.stop`."""
    while True:
        before = _cpu_ticks(process.pid)
        try:
            process.wait(seconds)
            return
        except subprocess.TimeoutExpired:
            if _cpu_ticks(process.pid) - before < LEAST_TICKS:
                raise
            LOG.info("process %d is still working; waiting for its end", process.pid)


def _cpu_ticks(pid: int) -> int:
    """Return the CPU time that a process has taken, in hundredths of a second; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def end_all() -> None:
    """End all JVMs that this process has launched, at its own end."""
    logging.disable()  # py4j would report each object that it can no longer release
    for process in _launched:
        process.end()


atexit.register(end_all)
