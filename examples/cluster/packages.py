"""Installs the Debian packages that a node needs: only those whose programs are missing, and reports which."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from examples.cluster.errors import ClusterError

# Program -> package. The same program from another package, such as Docker's containerd, will do.
PROGRAMS = {
    "containerd": "containerd",
    "runc": "runc",
    "buildah": "buildah",
    "containers-storage": "containers-storage",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
    "umount": "mount",
}
CNI_PACKAGE = "containernetworking-plugins"
CNI_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
CNI_PLUGINS = ("ptp", "host-local", "portmap", "loopback")


def cni_folder() -> Path | None:
    """Return the folder with the CNI plugins that we use, or None."""
    for folder in CNI_FOLDERS:
        if all((folder / plugin).exists() for plugin in CNI_PLUGINS):
            return folder
    return None


def missing() -> list[str]:
    """Return the packages whose programs are missing on this machine."""
    # /usr/sbin is not on every user's PATH, not even on root's after `su`.
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    packages = [package for program, package in PROGRAMS.items() if shutil.which(program, path=path) is None]
    return packages if cni_folder() else [*packages, CNI_PACKAGE]


def install() -> None:
    """Install missing packages.

    Raises:
        ClusterError: if this machine is not Debian, or apt-get fails.
    """
    packages = missing()
    if not packages:
        return
    if shutil.which("apt-get") is None:
        raise ClusterError(
            f"programs of these Debian packages are missing: {', '.join(packages)}. "
            "Install them, or set KUBECONFIG to use another cluster"
        )
    print(f"installing {', '.join(packages)} with apt-get", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-qq"], ["install", "--yes", "-qq", "--no-install-recommends", *packages]):
        outcome = subprocess.run(
            ["apt-get", *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if outcome.returncode != 0:
            last = "\n".join(f"  {line}" for line in outcome.stdout.splitlines()[-15:])
            raise ClusterError(f"`apt-get {' '.join(arguments)}` failed:\n{last}")
