"""The operator as a process of the bench: one core, its settings, and what it costs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from examples.cluster import network
from tests.bench.load import control_plane

CORE = "0"
PROXY_PORT = 7443
METRICS_PORT = 9464
MAIN = "bench"  # the replica with the ports


class Operator:
    """An operator, and the proxy in front of the API server if its requests are delayed."""

    def __init__(self, folder: Path, milliseconds: int, identity: str = MAIN, **settings: str) -> None:
        self.folder = folder
        self.log = folder / f"{identity}.log"
        self._proxy: subprocess.Popen[bytes] | None = None
        if milliseconds:
            target = f"{network.NODE_ADDRESS}:6443"
            command = [sys.executable, "-m", "tests.bench.load.proxy", str(PROXY_PORT), target, str(milliseconds)]
            self._proxy = subprocess.Popen(command)
            time.sleep(1)
        kubeconfig = control_plane.kubeconfig(folder, PROXY_PORT if milliseconds else None)
        self._environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "FEATX_NAMESPACES": ",".join(control_plane.NAMESPACES),
            "FEATX_LEASE_NAMESPACE": control_plane.RELEASE_NAMESPACE,
            "FEATX_IDENTITY": identity,
            "MALLOC_ARENA_MAX": "2",
            **({} if identity == MAIN else {"FEATX_PROBE_PORT": "0", "FEATX_METRICS_PORT": "0"}),
            **{f"FEATX_{name}": value for name, value in settings.items()},
        }
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = ["taskset", "--cpu-list", CORE, sys.executable, "-m", "featx_operator"]
        with self.log.open("ab") as output:
            return subprocess.Popen(command, env=self._environment, stdout=output, stderr=output)

    def wait_until_active(self, timeout: float = 60) -> None:
        """Waits until it holds the Lease."""
        deadline = time.monotonic() + timeout
        while "is active now" not in self.log.read_text():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"the operator is not active: {self.log.read_text()[-3000:]}")
            time.sleep(0.1)

    def restart(self) -> None:
        """Stops it and starts it again."""
        self.end()
        self.log.write_text("")
        self.process = self._start()

    def end(self, signal_: signal.Signals = signal.SIGTERM) -> None:
        """Stops the operator alone."""
        if self.process.poll() is None:
            self.process.send_signal(signal_)
        self.process.wait(30)

    def stop(self) -> None:
        """Stops the operator and the proxy."""
        self.end()
        if self._proxy:
            self._proxy.terminate()
            self._proxy.wait()

    @property
    def cpu_seconds(self) -> float:
        """CPU time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def mebibytes(self, name: str = "VmRSS") -> float:
        """Resident memory: VmRSS now, VmHWM at most since its start."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return round(int(status.split(f"{name}:")[1].split()[0]) / 1024, 1)

    def metrics(self) -> str:
        """Its metrics, or an empty text if it serves none."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{METRICS_PORT}/metrics", timeout=5) as response:
                return str(response.read().decode())
        except OSError:
            return ""
