"""Servers that run in a JVM: their jars, and a process that can be killed and restarted."""

from __future__ import annotations

import hashlib
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from featx_cli.java_build import cache_folder, jars
from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway

POM = Path(__file__).with_name("pom.xml")
SPARK = Path(sysconfig.get_paths()["purelib"]) / "pyspark" / "jars"
PATIENCE = 90.0


def class_path(*folders: Path) -> str:
    """A server's class path: its own folders, the executors' jars, and Spark's."""
    return ":".join([*(str(folder) for folder in folders), f"{jars()}/*", f"{SPARK}/*"])


def test_jars() -> Path:
    """The folder of jars that only tests need, downloaded by Maven on first use."""
    folder = cache_folder() / "servers" / hashlib.sha256(POM.read_bytes()).hexdigest()[:16]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as text:
            shutil.copy(POM, text)
            command = ["mvn", "--quiet", "--batch-mode", "-f", f"{text}/pom.xml", "package"]
            subprocess.run(command, check=True, capture_output=True)
            (Path(text) / "target" / "dependency").rename(folder)
    return folder


test_jars.__test__ = False  # type: ignore[attr-defined]  # not a test, despite its name


def free_ports(count: int) -> list[int]:
    """Unused ports on loopback."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


@contextmanager
def gateway(*options: str) -> Iterator[JavaGateway]:
    """Runs a JVM with Hadoop's and HBase's clients until the block ends."""
    (py4j,) = SPARK.glob("py4j-*.jar")
    port = launch_gateway(jarpath=str(py4j), classpath=class_path(), javaopts=["-Xmx512m", *options], die_on_exit=True)
    started = JavaGateway(gateway_parameters=GatewayParameters(port=port, auto_convert=True))
    try:
        yield started
    finally:
        started.shutdown()


class Server:
    """A process that can be killed, as by a power failure, and restarted on its existing data."""

    def __init__(self, command: list[str], folder: Path, is_ready: Callable[[], bool]) -> None:
        """Starts the server and waits until it is ready.

        Args:
            command: The server's command line.
            folder: Working directory, which also contains its log.
            is_ready: Whether the server is ready; polled during startup.
        """
        self._command, self._folder, self._is_ready = command, folder, is_ready
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Starts the process and waits until it is ready."""
        log = self._folder / "server.log"
        with log.open("ab") as stream:
            self._process = subprocess.Popen(self._command, stdout=stream, stderr=subprocess.STDOUT, cwd=self._folder)
        deadline = time.monotonic() + PATIENCE
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the server does not serve: {log.read_text()[-3000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """Kills the process if it is running."""
        self.send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """Sends a signal. SIGSTOP, then SIGCONT, makes the server unresponsive for a while, like a network outage."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
