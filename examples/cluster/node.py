"""The node: kubelet, kube-proxy and CoreDNS, as plain processes."""

from __future__ import annotations

import json
from pathlib import Path

from examples.cluster import certificates, cgroups, network, paths
from examples.cluster.binaries import path_of
from examples.cluster.processes import Program, http_ok

# Stands for the pool of Xeon nodes in a production cluster.
NODE_LABEL = "featx.dev/node-pool=xeon"
RESOLVER = paths.CONFIG / "resolv.conf"
NO_RESOLVER = paths.CONFIG / "empty-resolv.conf"


def kubelet() -> Program:
    """Return the kubelet, and write its settings."""
    arguments = [
        path_of("kubelet"),
        f"--config={_write('kubelet.json', kubelet_configuration())}",
        f"--kubeconfig={paths.KUBECONFIGS / 'kubelet.conf'}",
        f"--root-dir={paths.KUBELET}",
        f"--cert-dir={paths.KUBELET / 'pki'}",
        f"--hostname-override={certificates.NODE_NAME}",
        f"--node-ip={network.NODE_ADDRESS}",
        f"--node-labels={NODE_LABEL}",
    ]
    return Program("kubelet", arguments, ready=lambda: http_ok("http://127.0.0.1:10248/healthz"))


def kubelet_configuration() -> dict[str, object]:
    """Return the KubeletConfiguration: the whole machine for pods, and no eviction before a disk is nearly full."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(paths.PKI / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroups.NAME}",
        "clusterDNS": [network.NODE_ADDRESS],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": f"unix://{paths.CONTAINERD_SOCKET}",
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "500Mi", "imagefs.available": "500Mi"},
        "failCgroupV1": False,
        "failSwapOn": False,
        "imageGCHighThresholdPercent": 100,  # a removed image could not be pulled again
        "oomScoreAdj": 0,
        "podLogsDir": str(paths.POD_LOGS),
        "resolvConf": str(NO_RESOLVER),
        "serializeImagePulls": False,
        "volumePluginDir": str(paths.KUBELET / "volume-plugins"),
    }


def kube_proxy() -> Program:
    """Return kube-proxy, and write its settings."""
    configuration: dict[str, object] = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "bindAddress": network.NODE_ADDRESS,
        "clientConnection": {"kubeconfig": str(certificates.KUBE_PROXY)},
        "clusterCIDR": network.POD_SUBNET,
        # These limits are the machine's, not the namespace's: leave them alone.
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "healthzBindAddress": "127.0.0.1:10256",
        "hostnameOverride": certificates.NODE_NAME,
        "mode": "iptables",
        "oomScoreAdj": 0,
    }
    arguments = [path_of("kube-proxy"), f"--config={_write('kube-proxy.json', configuration)}"]
    return Program("kube-proxy", arguments, ready=lambda: http_ok("http://127.0.0.1:10256/livez"))


def coredns() -> Program:
    """Return CoreDNS, and write its settings. It resolves only names of the cluster: nothing leads out of it."""
    text = f"""\
. {{
    bind {network.NODE_ADDRESS}
    ready 127.0.0.1:8181
    errors
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {certificates.COREDNS}
        ttl 5
    }}
}}
"""
    corefile = paths.write_settings(paths.CONFIG / "Corefile", text)
    arguments = [path_of("coredns"), "-conf", str(corefile)]
    return Program("coredns", arguments, ready=lambda: http_ok("http://127.0.0.1:8181/ready"))


def write_resolvers() -> None:
    """Write the resolv.conf of clients in the namespace, and an empty one that pods inherit."""
    paths.write_settings(NO_RESOLVER, "")
    search = "search svc.cluster.local cluster.local"
    paths.write_settings(RESOLVER, f"{search}\nnameserver {network.NODE_ADDRESS}\noptions ndots:5\n")


def _write(name: str, configuration: dict[str, object]) -> Path:
    return paths.write_settings(paths.CONFIG / name, json.dumps(configuration, indent=2))
