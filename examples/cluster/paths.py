"""Where the cluster keeps its things: a cache that outlives it, and folders that end with it.

What is dear to make (binaries, images) lies in the cache. What belongs to one life of the cluster lies in `RUN`
(sockets, pids, keys: small, and sockets need short paths) and in `DATA` (etcd, volumes, logs: may be large, so not on
a tmpfs). `DATA`'s logs stay after `down`, for whoever has to find out what went wrong.
"""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_path

RUN = Path("/run/featx/cluster")
DATA = Path("/var/lib/featx/cluster")

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
    """Returns the folder for binaries and images, `$XDG_CACHE_HOME/featx/kubernetes`."""
    return user_cache_path("featx") / "kubernetes"


def containerd_root() -> Path:
    """Returns containerd's own store. It outlives the cluster, so that a second start imports no image again."""
    return cache() / "containerd"


def write_settings(path: Path, text: str) -> Path:
    """Writes a settings file unless it says the same already: kube-proxy ends when its file is written again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    return path
