"""Mounts of this machine: containers and volumes leave many, and none may stay."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

# The kernel escapes these four characters in paths.
_ESCAPES = {r"\040": " ", r"\011": "\t", r"\012": "\n", r"\134": "\\"}


def parse(mountinfo: str) -> list[Path]:
    """Return the mount points in a `/proc/PID/mountinfo`, in the order in which they were mounted."""
    points = []
    for line in mountinfo.splitlines():
        point = line.split(" ")[4]
        for escape, character in _ESCAPES.items():
            point = point.replace(escape, character)
        points.append(Path(point))
    return points


def below(folders: Iterable[Path]) -> list[Path]:
    """Return the mount points at or below any of the folders, the latest mount first."""
    roots = [folder.resolve() for folder in folders]
    points = parse(Path("/proc/self/mountinfo").read_text())
    return [point for point in reversed(points) if any(point == root or root in point.parents for root in roots)]


def is_mount_point(path: Path) -> bool:
    """Return whether something is mounted at exactly this path."""
    return path.resolve() in parse(Path("/proc/self/mountinfo").read_text())


def unmount(point: Path) -> None:
    """Unmount a mount point; one that is in use disappears with its last user."""
    if subprocess.run(["umount", str(point)], capture_output=True).returncode != 0:
        subprocess.run(["umount", "--lazy", str(point)], capture_output=True)
