"""Folders of the cluster: a cache that outlives it, and folders that are removed with it.

The cache has what is expensive to build (binaries, images). Everything else is in `RUN` (sockets, pids, keys: small,
and sockets need short paths) and `DATA` (etcd, volumes, logs: may be large, so not on a tmpfs). The logs in `DATA` stay
after `down`, for troubleshooting.

`FEATX_CLUSTER=name` names a second cluster that runs beside the first one, with folders of its own.
"""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

NAME = os.environ.get("FEATX_CLUSTER", "") or "cluster"
RUN = Path("/run/featx") / NAME
DATA = Path("/var/lib/featx") / NAME

PIDS = RUN / "pids"
PKI = RUN / "pki"
KUBECONFIGS = RUN / "kubeconfig"
CONFIG = RUN / "config"
CONTAINERD_STATE = RUN / "containerd"
CONTAINERD_SOCKET = RUN / "containerd.sock"
ADMIN_KUBECONFIG = KUBECONFIGS / "super-admin.conf"

LOGS = DATA / "logs"
ETCD = DATA / "etcd"
KUBELET = DATA / "kubelet"
POD_LOGS = DATA / "pod-logs"
CNI = DATA / "cni"


def cache() -> Path:
    """Return the folder for binaries and images, `$XDG_CACHE_HOME/featx/kubernetes`."""
    return user_cache_path("featx") / "kubernetes"


def containerd_root() -> Path:
    """Return containerd's store. It outlives the cluster, so that a second start imports no image again."""
    return cache() / ("containerd" if NAME == "cluster" else f"containerd-{NAME}")


def build_folders() -> list[Path]:
    """Return the folders in which images are built. All clusters share them."""
    return [cache() / name for name in ("buildah", "build", "base", "tmp")]


def write_settings(path: Path, text: str) -> Path:
    """Write a settings file unless it is unchanged: kube-proxy exits when its file is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    return path
