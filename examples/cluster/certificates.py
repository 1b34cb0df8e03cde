"""Keys, certificates and kubeconfigs of the cluster, all created by kubeadm, which knows who needs which."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from examples.cluster import binaries, network, paths
from examples.cluster.errors import ClusterError

NODE_NAME = "featx-node"
SERVER = f"https://{network.NODE_ADDRESS}:6443"
KUBE_PROXY = paths.KUBECONFIGS / "kube-proxy.conf"
COREDNS = paths.KUBECONFIGS / "coredns.conf"


def kubeadm_configuration() -> list[dict[str, object]]:
    """Return kubeadm's configuration documents."""
    return [
        {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "InitConfiguration",
            "localAPIEndpoint": {"advertiseAddress": network.NODE_ADDRESS, "bindPort": 6443},
            "nodeRegistration": {"name": NODE_NAME, "criSocket": f"unix://{paths.CONTAINERD_SOCKET}"},
        },
        {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "ClusterConfiguration",
            "clusterName": "featx",
            "kubernetesVersion": binaries.kubernetes_version(),
            "certificatesDir": str(paths.PKI),
            "encryptionAlgorithm": "ECDSA-P256",  # created instantly, unlike RSA keys
            "networking": {"serviceSubnet": network.SERVICE_SUBNET, "podSubnet": network.POD_SUBNET},
            "apiServer": {"certSANs": ["localhost", "127.0.0.1"]},
        },
    ]


def make() -> None:
    """Create all certificates and kubeconfigs unless they exist.

    Raises:
        ClusterError: if kubeadm fails, with its output.
    """
    if COREDNS.exists():
        return
    for folder in (paths.CONFIG, paths.KUBECONFIGS):
        folder.mkdir(parents=True, exist_ok=True)
    paths.RUN.chmod(0o700)  # it contains the cluster's keys
    configuration = paths.CONFIG / "kubeadm.yaml"
    configuration.write_text("\n---\n".join(json.dumps(document, indent=2) for document in kubeadm_configuration()))
    common = ["--config", str(configuration)]
    _kubeadm("init", "phase", "certs", "all", *common)
    _kubeadm("init", "phase", "kubeconfig", "all", *common, "--kubeconfig-dir", str(paths.KUBECONFIGS))
    for path, user in ((KUBE_PROXY, "system:kube-proxy"), (COREDNS, "featx:coredns")):
        _write_private(path, _kubeadm("kubeconfig", "user", *common, "--client-name", user))


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _kubeadm(*arguments: str) -> str:
    outcome = subprocess.run([binaries.path_of("kubeadm"), *arguments], capture_output=True, text=True)
    if outcome.returncode != 0:
        raise ClusterError(f"`kubeadm {' '.join(arguments)}` failed: {outcome.stderr.strip()}")
    return outcome.stdout
