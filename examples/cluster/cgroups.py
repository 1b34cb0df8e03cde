"""The control group that contains every pod, in the hierarchies of cgroup v1 or the single one of v2.

Pods get a root of their own, not the machine's. So leftover processes are found and killed in one place, even after
containerd and the kubelet were killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from examples.cluster import paths

ROOT = Path("/sys/fs/cgroup")
NAME = "featx" if paths.NAME == "cluster" else f"featx-{paths.NAME}"


def is_v2() -> bool:
    """Return whether this machine uses cgroup v2."""
    return (ROOT / "cgroup.controllers").exists()


def groups() -> list[Path]:
    """Return the existing folders of our group, one per hierarchy."""
    places = [ROOT] if is_v2() else sorted(ROOT.iterdir())
    return [place / NAME for place in places if (place / NAME).is_dir()]


def create() -> None:
    """Create the group in every hierarchy, ready for the kubelet's groups below it."""
    if is_v2():
        controllers = (ROOT / "cgroup.controllers").read_text().split()
        (ROOT / NAME).mkdir(exist_ok=True)
        for folder in (ROOT, ROOT / NAME):
            for controller in controllers:
                # Inside a container the root may refuse some; the kubelet reports those that it misses.
                with contextlib.suppress(OSError):
                    (folder / "cgroup.subtree_control").write_text(f"+{controller}")
        return
    for hierarchy in ROOT.iterdir():
        if hierarchy.is_symlink() or not (hierarchy / "cgroup.procs").exists():
            continue
        group = hierarchy / NAME
        group.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # a new cpuset has none, and accepts no process without them
            if (hierarchy / setting).exists():
                (group / setting).write_text((hierarchy / setting).read_text())


def processes() -> set[int]:
    """Return the pids of all processes in the group or below it."""
    pids: set[int] = set()
    for group in groups():
        for listing in group.rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                pids.update(int(pid) for pid in listing.read_text().split())
    return pids


def delete(timeout: float = 10.0) -> None:
    """Kill all processes in the group and remove it with its subgroups; give up after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while groups():
        for pid in processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for group in groups():
            for folder, _, _ in os.walk(group, topdown=False):
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()
        if time.monotonic() > deadline:
            return
        if groups():
            time.sleep(0.05)
