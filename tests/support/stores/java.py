"""Servers that run in a JVM: their jars, and a process that is started, killed and started again."""

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
    """Returns the class path of a server: folders of its own, the executors' jars, and Spark's."""
    return ":".join([*(str(folder) for folder in folders), f"{jars()}/*", f"{SPARK}/*"])


def test_jars() -> Path:
    """Returns the folder of jars that only tests need, fetched by Maven the first time."""
    folder = cache_folder() / "servers" / hashlib.sha256(POM.read_bytes()).hexdigest()[:16]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as text:
            shutil.copy(POM, text)
            command = ["mvn", "--quiet", "--batch-mode", "-f", f"{text}/pom.xml", "package"]
            subprocess.run(command, check=True, capture_output=True)
            (Path(text) / "target" / "dependency").rename(folder)
    return folder


test_jars.__test__ = False  # type: ignore[attr-defined]  # its name is no test's


def free_ports(count: int) -> list[int]:
    """Returns ports of loopback that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


@contextmanager
def gateway(*options: str) -> Iterator[JavaGateway]:
    """Starts a JVM that has Hadoop's and HBase's clients, and ends it."""
    (py4j,) = SPARK.glob("py4j-*.jar")
    port = launch_gateway(jarpath=str(py4j), classpath=class_path(), javaopts=["-Xmx512m", *options], die_on_exit=True)
    started = JavaGateway(gateway_parameters=GatewayParameters(port=port, auto_convert=True))
    try:
        yield started
    finally:
        started.shutdown()


class Server:
    """A process that can be killed as a power cut would, and started again with the data that it has."""

    def __init__(self, command: list[str], folder: Path, is_ready: Callable[[], bool]) -> None:
        """Starts it, and waits until it serves.

        Args:
            command: The program.
            folder: Where it runs and keeps its log.
            is_ready: Whether it serves; asked again and again.
        """
        self._command, self._folder, self._is_ready = command, folder, is_ready
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Starts the process, and waits until it serves."""
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
        """Kills the process, if it runs."""
        self.send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """Sends a signal: SIGSTOP and SIGCONT make it deaf for a while, as a network that is cut does."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
