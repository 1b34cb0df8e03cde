"""Kernel settings that the kubelet changes for the whole machine. They are restored when the cluster stops."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from examples.cluster import paths

# setupKernelTunables in Kubernetes' pkg/kubelet/cm/container_manager_linux.go
SETTINGS = tuple(
    Path("/proc/sys") / name
    for name in (
        "vm/overcommit_memory",
        "vm/panic_on_oom",
        "kernel/panic",
        "kernel/panic_on_oops",
        "kernel/keys/root_maxkeys",
        "kernel/keys/root_maxbytes",
    )
)
SAVED = paths.DATA / "kernel-settings.json"


def save() -> None:
    """Save the current settings, unless a cluster that was not stopped has saved them before."""
    if SAVED.exists():
        return
    SAVED.parent.mkdir(parents=True, exist_ok=True)
    SAVED.write_text(json.dumps({str(path): path.read_text().strip() for path in SETTINGS if path.exists()}))


def restore() -> None:
    """Restore the saved settings."""
    if not SAVED.exists():
        return
    for path, value in json.loads(SAVED.read_text()).items():
        with contextlib.suppress(OSError):
            Path(path).write_text(value)
    SAVED.unlink()
