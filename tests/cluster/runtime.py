"""containerd: its settings, the network of pods, and the containers that an earlier life of the cluster left in its store."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.cluster import network, packages, paths, processes
from tests.cluster.errors import ClusterError

# containerd's own namespace for what Kubernetes runs; nothing to do with the kernel's or Kubernetes' namespaces.
CONTAINERD_NAMESPACE = "k8s.io"
PAUSE_IMAGE = "localhost/featx/pause:v1"
CNI_NETWORK = "featx"


def containerd() -> processes.Program:
    """Returns containerd, and writes its settings."""
    settings = paths.CONFIG / "containerd.toml"
    cni_configuration = paths.CONFIG / "cni"
    cni_configuration.mkdir(parents=True, exist_ok=True)
    (cni_configuration / "featx.conflist").write_text(json.dumps(cni_network(), indent=2))
    settings.write_text(containerd_settings(cni_configuration, packages.cni_folder() or packages.CNI_FOLDERS[0]))
    return processes.Program(
        "containerd",
        ["containerd", "--config", str(settings)],
        ready=lambda: ctr_succeeds("version"),
    )


def containerd_settings(cni_configuration: Path, cni_plugins: Path) -> str:
    """Returns containerd's configuration file."""
    return f"""\
version = 2
root = "{paths.containerd_root()}"
state = "{paths.CONTAINERD_STATE}"

[grpc]
address = "{paths.CONTAINERD_SOCKET}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
# Inside of a sandbox root may lack CAP_SYS_RESOURCE, without which a score cannot be lowered.
restrict_oom_score_adj = true
# Below our own folder, so that they can be found and unmounted when all else was killed.
netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{cni_plugins}"
conf_dir = "{cni_configuration}"
"""


def cni_network() -> dict[str, object]:
    """Returns the pods' network.

    Each pod has a link of its own to the node (`ptp`), not a shared bridge: then traffic between pods is routed, and passes
    the iptables rules of services even where the kernel has no br_netfilter.
    """
    addresses = {"type": "host-local", "ranges": [[{"subnet": network.POD_SUBNET}]], "dataDir": str(paths.CNI)}
    addresses["routes"] = [{"dst": "0.0.0.0/0"}]
    return {
        "cniVersion": "1.0.0",
        "name": CNI_NETWORK,
        "plugins": [
            {"type": "ptp", "ipMasq": False, "ipam": addresses},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def ctr(*arguments: str, stdin: int | None = None) -> str:
    """Runs containerd's client and returns what it printed.

    Raises:
        ClusterError: if it fails, with what it said.
    """
    outcome = subprocess.run(_ctr_command(*arguments), stdin=stdin, capture_output=True, text=True)
    if outcome.returncode != 0:
        raise ClusterError(f"`ctr {' '.join(arguments)}` failed: {outcome.stderr.strip()}")
    return outcome.stdout


def ctr_succeeds(*arguments: str) -> bool:
    """Runs containerd's client and tells whether it succeeded."""
    return subprocess.run(_ctr_command(*arguments), capture_output=True).returncode == 0


def remove_containers() -> bool:
    """Removes every container of the cluster, running or not; the kubelet must be down. Tells whether there were any."""
    containers = ctr("containers", "list", "--quiet").split()
    if containers:
        tasks = ctr("tasks", "list", "--quiet").split()
        for task in tasks:
            ctr_succeeds("tasks", "rm", "--force", task)
        ctr("containers", "rm", *containers)
    return bool(containers)


def _ctr_command(*arguments: str) -> list[str]:
    return ["ctr", "--address", str(paths.CONTAINERD_SOCKET), "--namespace", CONTAINERD_NAMESPACE, *arguments]
