"""etcd and Kubernetes' control plane, as plain processes with the flags that kubeadm would give them."""

from __future__ import annotations

from pathlib import Path

from examples.cluster import network, paths
from examples.cluster.binaries import path_of
from examples.cluster.certificates import SERVER
from examples.cluster.processes import Program, http_ok

ETCD_CLIENTS = "http://127.0.0.1:2379"
ETCD_PEERS = "http://127.0.0.1:2380"


def etcd() -> Program:
    """Return etcd: one member, on loopback inside the namespace, without waiting for the disk."""
    paths.ETCD.mkdir(parents=True, exist_ok=True)
    paths.ETCD.chmod(0o700)
    arguments = [
        path_of("etcd"),
        "--name=featx",
        f"--data-dir={paths.ETCD}",
        f"--listen-client-urls={ETCD_CLIENTS}",
        f"--advertise-client-urls={ETCD_CLIENTS}",
        f"--listen-peer-urls={ETCD_PEERS}",
        f"--initial-advertise-peer-urls={ETCD_PEERS}",
        f"--initial-cluster=featx={ETCD_PEERS}",
        "--unsafe-no-fsync",  # the cluster lives until the next reboot at most
    ]
    return Program("etcd", arguments, ready=lambda: http_ok(f"{ETCD_CLIENTS}/health"))


def api_server() -> Program:
    """Return kube-apiserver. Pod Security admission is on by default."""
    arguments = [
        path_of("kube-apiserver"),
        f"--advertise-address={network.NODE_ADDRESS}",
        "--allow-privileged=true",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--etcd-servers={ETCD_CLIENTS}",
        f"--service-cluster-ip-range={network.SERVICE_SUBNET}",
        # No DNS knows the node's name: `kubectl logs` and `exec` use its address.
        "--kubelet-preferred-address-types=InternalIP,Hostname",
        f"--client-ca-file={_pki('ca.crt')}",
        f"--tls-cert-file={_pki('apiserver.crt')}",
        f"--tls-private-key-file={_pki('apiserver.key')}",
        f"--kubelet-client-certificate={_pki('apiserver-kubelet-client.crt')}",
        f"--kubelet-client-key={_pki('apiserver-kubelet-client.key')}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={_pki('sa.pub')}",
        f"--service-account-signing-key-file={_pki('sa.key')}",
        f"--requestheader-client-ca-file={_pki('front-proxy-ca.crt')}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={_pki('front-proxy-client.crt')}",
        f"--proxy-client-key-file={_pki('front-proxy-client.key')}",
    ]
    return Program("kube-apiserver", arguments, ready=lambda: http_ok(f"{SERVER}/readyz"))


def controller_manager() -> Program:
    """Return kube-controller-manager, without leader election: it is the only one."""
    kubeconfig = paths.KUBECONFIGS / "controller-manager.conf"
    arguments = [
        path_of("kube-controller-manager"),
        *_kubeconfig_flags(kubeconfig),
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
        "--use-service-account-credentials=true",
        f"--root-ca-file={_pki('ca.crt')}",
        f"--client-ca-file={_pki('ca.crt')}",
        f"--requestheader-client-ca-file={_pki('front-proxy-ca.crt')}",
        f"--cluster-signing-cert-file={_pki('ca.crt')}",
        f"--cluster-signing-key-file={_pki('ca.key')}",
        f"--service-account-private-key-file={_pki('sa.key')}",
    ]
    return Program("kube-controller-manager", arguments, ready=lambda: http_ok("https://127.0.0.1:10257/healthz"))


def scheduler() -> Program:
    """Return kube-scheduler, without leader election."""
    arguments = [
        path_of("kube-scheduler"),
        *_kubeconfig_flags(paths.KUBECONFIGS / "scheduler.conf"),
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
    ]
    return Program("kube-scheduler", arguments, ready=lambda: http_ok("https://127.0.0.1:10259/healthz"))


def _pki(name: str) -> Path:
    return paths.PKI / name


def _kubeconfig_flags(kubeconfig: Path) -> list[str]:
    purposes = ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
    return [f"--{purpose}={kubeconfig}" for purpose in purposes]
