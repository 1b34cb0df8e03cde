"""The control group that holds every pod, in cgroup v1's hierarchies or in the one of v2.

Pods get a root of their own, not the machine's: what is left of them is then found, and ended, by looking in one place,
even when containerd and the kubelet were killed and can no longer tell.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
NAME = "featx"


def is_v2() -> bool:
    """Tells whether this machine has the one hierarchy of cgroup v2."""
    return (ROOT / "cgroup.controllers").exists()


def groups() -> list[Path]:
    """Returns the folders of our group that exist, one a hierarchy."""
    places = [ROOT] if is_v2() else sorted(ROOT.iterdir())
    return [place / NAME for place in places if (place / NAME).is_dir()]


def create() -> None:
    """Makes the group in every hierarchy, ready to have the kubelet's groups below it."""
    if is_v2():
        controllers = (ROOT / "cgroup.controllers").read_text().split()
        (ROOT / NAME).mkdir(exist_ok=True)
        for folder in (ROOT, ROOT / NAME):
            for controller in controllers:
                # Inside of a container the root may refuse some; the kubelet names the ones that it misses.
                with contextlib.suppress(OSError):
                    (folder / "cgroup.subtree_control").write_text(f"+{controller}")
        return
    for hierarchy in ROOT.iterdir():
        if hierarchy.is_symlink() or not (hierarchy / "cgroup.procs").exists():
            continue
        group = hierarchy / NAME
        group.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # a new cpuset has none, and then takes no process
            if (hierarchy / setting).exists():
                (group / setting).write_text((hierarchy / setting).read_text())


def processes() -> set[int]:
    """Returns the pids of all processes in the group or below it."""
    found: set[int] = set()
    for group in groups():
        for listing in group.rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                found.update(int(pid) for pid in listing.read_text().split())
    return found


def delete(timeout: float = 10.0) -> None:
    """Kills what runs in the group and removes it with all that is below; waits at most `timeout` seconds for that."""
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
