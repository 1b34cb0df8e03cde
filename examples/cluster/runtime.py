"""containerd: its settings, the pods' network, the images in its store, and leftover containers."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from pathlib import Path

from examples.cluster import cgroups, image_store, network, packages, paths, processes
from examples.cluster.errors import ClusterError

# containerd's namespace for Kubernetes; unrelated to namespaces of the kernel or of Kubernetes.
CONTAINERD_NAMESPACE = "k8s.io"
PAUSE_IMAGE = "localhost/featx/pause:v1"
CNI_NETWORK = cgroups.NAME  # results of all clusters lie in one folder


def containerd() -> processes.Program:
    """Return containerd, and write its settings."""
    cni = paths.write_settings(paths.CONFIG / "cni" / "featx.conflist", json.dumps(cni_network(), indent=2))
    text = containerd_settings(cni.parent, packages.cni_folder() or packages.CNI_FOLDERS[0])
    settings = paths.write_settings(paths.CONFIG / "containerd.toml", text)
    return processes.Program(
        "containerd",
        ["containerd", "--config", str(settings)],
        ready=lambda: ctr_succeeds("version"),
    )


def containerd_settings(cni_configuration: Path, cni_plugins: Path) -> str:
    """Return containerd's configuration file."""
    return f"""\
version = 2
root = "{paths.containerd_root()}"
state = "{paths.CONTAINERD_STATE}"

[grpc]
address = "{paths.CONTAINERD_SOCKET}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
# Inside a sandbox root may lack CAP_SYS_RESOURCE, without which a score cannot be lowered.
restrict_oom_score_adj = true
# Below our own folder, so that they are found and unmounted even after everything was killed.
netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
Root = "{paths.RUN / "runc"}"
SystemdCgroup = false

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{cni_plugins}"
conf_dir = "{cni_configuration}"
"""


def cni_network() -> dict[str, object]:
    """Return the pods' network.

    Each pod has its own link to the node (`ptp`) rather than a shared bridge. So traffic between pods is routed, and
    passes the iptables rules of services even if the kernel has no br_netfilter.
    """
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": network.POD_SUBNET}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": str(paths.CNI),
    }
    return {
        "cniVersion": "1.0.0",
        "name": CNI_NETWORK,
        "plugins": [
            {"type": "ptp", "ipMasq": False, "ipam": addresses},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def images() -> dict[str, str]:
    """Return the manifest digest of each image in containerd, by name."""
    rows = [line.split() for line in ctr("images", "list").splitlines()[1:]]
    return {row[0]: row[2] for row in rows}


def import_image(image: image_store.StoredImage) -> None:
    """Load an image from buildah's store into containerd: only the layers that it lacks.

    Tries twice: containerd's garbage collector may remove what the image builds on in between.

    Raises:
        ClusterError: if containerd refuses it, or is not running.
    """
    if _problem_of_import(image) and (problem := _problem_of_import(image)):
        raise ClusterError(f"containerd refused image {image.tag}: {problem}")


def _problem_of_import(image: image_store.StoredImage) -> str:
    """Import an image; return containerd's message if it failed, or else an empty string."""
    present = set(ctr("content", "list", "--quiet").split())
    # Output goes to a file: a pipe that nobody reads until the end could fill up and block it.
    with tempfile.TemporaryFile() as messages:
        command = _ctr_command("images", "import", "-")
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=messages, stderr=messages)
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin:
            image_store.write_archive(image, present, process.stdin)
        if process.wait() == 0:
            return ""
        messages.seek(0)
        return messages.read().decode(errors="replace").strip() or f"exit code {process.returncode}"


def ctr(*arguments: str) -> str:
    """Run containerd's client and return its output.

    Raises:
        ClusterError: if it fails, with its error output.
    """
    outcome = subprocess.run(_ctr_command(*arguments), capture_output=True, text=True)
    if outcome.returncode != 0:
        raise ClusterError(f"`ctr {' '.join(arguments)}` failed: {outcome.stderr.strip()}")
    return outcome.stdout


def ctr_succeeds(*arguments: str) -> bool:
    """Run containerd's client and return whether it succeeded."""
    return subprocess.run(_ctr_command(*arguments), capture_output=True).returncode == 0


def remove_containers() -> bool:
    """Remove every container, running or not, and return whether there were any; the kubelet must be stopped."""
    containers = ctr("containers", "list", "--quiet").split()
    if containers:
        tasks = ctr("tasks", "list", "--quiet").split()
        for task in tasks:
            ctr_succeeds("tasks", "rm", "--force", task)
        ctr("containers", "rm", *containers)
    return bool(containers)


def _ctr_command(*arguments: str) -> list[str]:
    return ["ctr", "--address", str(paths.CONTAINERD_SOCKET), "--namespace", CONTAINERD_NAMESPACE, *arguments]
