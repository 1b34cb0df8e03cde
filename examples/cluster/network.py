"""The network namespace that the whole cluster lives in.

No iptables rule, interface or port of the cluster is visible outside, and deleting the namespace cleans everything up.
Threads enter it with setns(2) themselves. `ip netns` does not work here: `ip netns add` leaves a mount behind, and
`ip netns exec` remounts /sys, which hides the cgroup mounts from the kubelet.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from examples.cluster import mounts, paths
from examples.cluster.errors import ClusterError

NAMESPACE_FILE = paths.RUN / "network-namespace"
BRIDGE = "featx0"

NODE_ADDRESS = "10.201.0.1"
POD_SUBNET = "10.202.0.0/16"
SERVICE_SUBNET = "10.203.0.0/16"

CLONE_NEWNET = 0x40000000
CLONE_NEWNS = 0x00020000

_libc = ctypes.CDLL(None, use_errno=True)


def exists() -> bool:
    """Return whether the namespace exists; a file left over from before a reboot does not count."""
    return mounts.is_mount_point(NAMESPACE_FILE)


def create() -> None:
    """Create the namespace with loopback, the node's address and a route to services, unless it exists.

    Raises:
        ClusterError: if `unshare` or `ip` fail, with their error output.
    """
    if exists():
        return
    NAMESPACE_FILE.parent.mkdir(parents=True, exist_ok=True)
    NAMESPACE_FILE.touch()
    _run("unshare", f"--net={NAMESPACE_FILE}", "true")
    with inside():
        _ip("link", "set", "lo", "up")
        # A bridge, since not every kernel has the `dummy` device type.
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("address", "add", f"{NODE_ADDRESS}/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        # kube-proxy rewrites a service's address, but only once the kernel has found a route to it.
        _ip("route", "add", SERVICE_SUBNET, "dev", BRIDGE)
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def delete() -> None:
    """Delete the namespace with every interface, address and rule inside."""
    if exists():
        mounts.unmount(NAMESPACE_FILE)
    NAMESPACE_FILE.unlink(missing_ok=True)


def enter() -> None:
    """Move this thread, with every process and socket that it creates from now on, into the namespace.

    Raises:
        ClusterError: if the cluster is not up.
    """
    if not exists():
        raise ClusterError("the cluster is not up: run `make cluster` first")
    _setns(NAMESPACE_FILE)


@contextlib.contextmanager
def inside() -> Iterator[None]:
    """Move this thread into the namespace and back; processes and sockets created meanwhile stay in it."""
    outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(NAMESPACE_FILE)
        try:
            yield
        finally:
            _checked(_libc.setns(outside, CLONE_NEWNET), "leave the network namespace")
    finally:
        os.close(outside)


def is_inside() -> bool:
    """Return whether this process itself is in the namespace."""
    return os.getpid() in processes_inside()


def processes_inside() -> list[int]:
    """Return the pids of all processes in the namespace."""
    if not exists():
        return []
    inode = NAMESPACE_FILE.stat().st_ino
    pids = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if (folder / "ns" / "net").stat().st_ino == inode:
                    pids.append(int(folder.name))
    return pids


def use_resolver(resolv_conf: Path) -> None:
    """Give this process its own /etc/resolv.conf, so that a client outside of pods resolves services by name.

    Mounts made elsewhere stay visible; those made here end with the process and its children.
    """
    _checked(_libc.unshare(CLONE_NEWNS), "make a mount namespace")
    for command in (["mount", "--make-rslave", "/"], ["mount", "--bind", str(resolv_conf), "/etc/resolv.conf"]):
        subprocess.run(command, check=True)


def _setns(namespace: Path) -> None:
    descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _checked(_libc.setns(descriptor, CLONE_NEWNET), f"enter {namespace}")
    finally:
        os.close(descriptor)


def _checked(result: int, purpose: str) -> None:
    if result != 0:
        raise ClusterError(f"cannot {purpose}: {os.strerror(ctypes.get_errno())}")


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    outcome = subprocess.run(command, capture_output=True, text=True)
    if outcome.returncode != 0:
        raise ClusterError(f"`{' '.join(command)}` failed: {outcome.stderr.strip()}")
