"""Finds what the cluster has on this machine by observing the machine, not by what the cluster recorded.

`down` stops and removes exactly what is found here. So it also works after a start that failed halfway, and after every
process was killed at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

from examples.cluster import cgroups, mounts, network, paths, processes, runtime

DEVICE_PLUGINS_SOCKET = Path("/var/lib/kubelet/device-plugins/kubelet.sock")


def leftovers() -> list[str]:
    """Return one line per process, mount, namespace, interface and cgroup of the cluster; empty after `down`."""
    return [
        *(f"process {pid}: {' '.join(processes.command_line(pid))[:120]}" for pid in sorted(_processes())),
        *(f"mount {point}" for point in mounts.below(_folders())),
        *([f"network namespace {network.NAMESPACE_FILE}"] if network.exists() else []),
        *(f"interface {name}" for name in _interfaces()),
        *(f"cgroup {group}" for group in cgroups.groups()),
    ]


def remove(grace: float = 5.0) -> None:
    """Stop leftover processes, by force after `grace` seconds; then remove mounts, namespace and cgroups."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        for pid in _processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal_number)
        deadline = time.monotonic() + grace
        while _processes() and time.monotonic() < deadline:
            time.sleep(processes.POLL_SECONDS)
    cgroups.delete()
    for point in mounts.below(_folders()):
        mounts.unmount(point)
    network.delete()
    _remove_traces_in_shared_folders()


def _processes() -> set[int]:
    """Return our pids: recorded, in our cgroup, in our network namespace, or serving our containerd."""
    recorded = {pid for pid in map(processes.running, processes.recorded()) if pid is not None}
    shims = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and str(paths.CONTAINERD_SOCKET) in processes.command_line(int(folder.name)):
            shims.add(int(folder.name))
    pids = recorded | shims | cgroups.processes() | set(network.processes_inside())
    # The caller may itself run in the namespace: `python -m examples.cluster exec -- pytest` does.
    return {pid for pid in pids - _self_and_ancestors() if processes.start_time(pid) is not None}


def _self_and_ancestors() -> set[int]:
    pids = set()
    pid = os.getpid()
    while pid > 0:
        pids.add(pid)
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            break
        pid = int(stat.rpartition(")")[2].split()[1])
    return pids


def _folders() -> list[Path]:
    return [paths.RUN, paths.DATA, paths.containerd_root(), *paths.build_folders()]


def _interfaces() -> list[str]:
    links = json.loads(subprocess.run(["ip", "-json", "link"], capture_output=True, text=True).stdout or "[]")
    return [link["ifname"] for link in links if link["ifname"] == network.BRIDGE]


def _remove_traces_in_shared_folders() -> None:
    """Remove files that containerd and the kubelet always write outside our folders."""
    results = Path("/var/lib/cni/results")
    for result in results.glob(f"{runtime.CNI_NETWORK}-*-eth0"):
        container = result.name.removeprefix(f"{runtime.CNI_NETWORK}-").removesuffix("-eth0")
        for file in results.glob(f"*{container}*"):
            file.unlink(missing_ok=True)
    # The kubelet creates it here, whatever its root folder is.
    DEVICE_PLUGINS_SOCKET.unlink(missing_ok=True)
    for folder in DEVICE_PLUGINS_SOCKET.parents[:2]:
        with contextlib.suppress(OSError):  # not empty: it belongs to somebody else
            folder.rmdir()
    for link in Path("/var/log/containers").glob("*.log"):
        if link.is_symlink() and paths.POD_LOGS in link.readlink().parents:
            link.unlink(missing_ok=True)
