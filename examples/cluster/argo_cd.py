"""Starts Argo CD, of the version in go/argocd, beside our own node: `python -m examples.cluster argo-cd`.

No release's image can be pulled here, so its programs run as processes, as the node's own do. Its API server needs no
login: only the cluster's own network reaches it.
"""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from examples.cluster import binaries, paths, processes
from examples.cluster.errors import ClusterError
from examples.cluster.local import LocalCluster, kubectl
from examples.cluster.processes import Program, http_ok

NAMESPACE = "argocd"
SETTINGS = Path(__file__).resolve().parents[1] / "gitops" / "argo-cd" / "argocd-cm.yaml"
REDIS = "127.0.0.1:6379"
REPO_SERVER = "127.0.0.1:8281"
API = "http://127.0.0.1:8287"
RESYNC_SECONDS = 10
PROGRAMS = (
    "argocd-server",
    "argocd-applicationset-controller",
    "argocd-application-controller",
    "argocd-repo-server",
    "argocd-redis",
)


def start() -> None:
    """Start Argo CD on our own node, which must be up, with Featx's health checks and actions.

    Raises:
        ClusterError: if Go is not installed, a build fails, or a program does not start.
    """
    if not processes.running("kube-apiserver"):
        raise ClusterError("the cluster is not up: run `make cluster` first")
    binaries.build([binaries.ARGO_CD])
    for crd in ("application", "applicationset", "appproject"):
        path = binaries.source_of(binaries.ARGO_CD) / "manifests" / "crds" / f"{crd}-crd.yaml"
        # The largest has more than an annotation may.
        kubectl("apply", "--server-side", "--force-conflicts", "--filename", str(path))
    _wait_for_crds()
    folder = paths.CONFIG / "argocd"
    folder.mkdir(parents=True, exist_ok=True)
    objects = folder / "objects.json"
    objects.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": _objects()}))
    kubectl("apply", "--filename", str(objects))
    kubectl("patch", "configmap", "argocd-cm", "--namespace", NAMESPACE, "--type=merge", f"--patch-file={SETTINGS}")
    parts = (_repo_server(), _application_controller(), _application_set_controller(), _api_server())
    for program in (_redis(), *parts):
        processes.start(program)
        processes.wait_until_ready(program)


def stop() -> None:
    """Stop Argo CD's programs; its objects stay."""
    for name in PROGRAMS:
        processes.stop(name)


def _wait_for_crds() -> None:
    crds = [f"crd/{name}s.argoproj.io" for name in ("application", "applicationset", "appproject")]
    deadline = time.monotonic() + 30
    while True:
        try:
            kubectl("wait", "--for=condition=Established", *crds, "--timeout=30s")
            return
        except ClusterError:  # a CRD without any condition yet
            if time.monotonic() > deadline:
                raise
            time.sleep(processes.POLL_SECONDS)


def _objects() -> list[dict[str, Any]]:
    """What Argo CD needs to start."""
    labels = {"app.kubernetes.io/part-of": "argocd"}
    items: list[dict[str, Any]] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}]
    items += [_object("ConfigMap", name, labels) for name in ("argocd-cm", "argocd-rbac-cm", "argocd-cmd-params-cm")]
    items.append({**_object("Secret", "argocd-secret", labels), "stringData": {"server.secretkey": "of tests"}})
    default = _object("AppProject", "default", {}, "argoproj.io/v1alpha1")
    everything = {"group": "*", "kind": "*"}
    destination = {"namespace": "*", "server": "*"}
    spec = {"sourceRepos": ["*"], "destinations": [destination], "clusterResourceWhitelist": [everything]}
    return [*items, {**default, "spec": spec}]


def _object(kind: str, name: str, labels: dict[str, str], version: str = "v1") -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels}}


def _redis() -> Program:
    return Program("argocd-redis", [_program("redis"), REDIS], ready=_redis_accepts)


def _redis_accepts() -> bool:
    host, _, port = REDIS.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def _repo_server() -> Program:
    flags = (f"--redis={REDIS}", "--address=127.0.0.1", f"--port={REPO_SERVER.rpartition(':')[2]}", "--disable-tls")
    # Branches are looked at anew each time: no forge tells this Argo CD of a commit.
    caching = ("--revision-cache-expiration=1s", "--metrics-port=8282")
    return _part("repo-server", "http://127.0.0.1:8282/healthz?full=true", *flags, *caching)


def _application_controller() -> Program:
    flags = (f"--redis={REDIS}", f"--repo-server={REPO_SERVER}", "--repo-server-plaintext", f"--namespace={NAMESPACE}")
    resync = (f"--app-resync={RESYNC_SECONDS}", "--app-resync-jitter=0", "--metrics-port=8283")
    return _part("application-controller", "http://127.0.0.1:8283/healthz", *flags, *resync)


def _application_set_controller() -> Program:
    flags = (f"--argocd-repo-server={REPO_SERVER}", "--repo-server-plaintext", f"--namespace={NAMESPACE}")
    ports = ("--metrics-addr=127.0.0.1:8284", "--probe-addr=127.0.0.1:8285", "--webhook-addr=127.0.0.1:8286")
    return _part("applicationset-controller", "http://127.0.0.1:8284/metrics", *flags, *ports)


def _api_server() -> Program:
    flags = (f"--redis={REDIS}", f"--repo-server={REPO_SERVER}", "--repo-server-plaintext", f"--namespace={NAMESPACE}")
    access = ("--address=127.0.0.1", f"--port={API.rpartition(':')[2]}", "--insecure", "--disable-auth")
    return _part("server", f"{API}/healthz", *flags, *access, "--metrics-port=8288")


def _part(name: str, health: str, *flags: str) -> Program:
    """One of the programs that Argo CD's only binary is."""
    environment = {
        "ARGOCD_BINARY_NAME": f"argocd-{name}",
        "ARGOCD_FAKE_IN_CLUSTER": "true",  # its own cluster is that of KUBECONFIG
        "ARGOCD_GPG_ENABLED": "false",
        # So that kubectl shows the health of each resource.
        "ARGOCD_APPLICATION_CONTROLLER_PERSIST_RESOURCE_HEALTH": "true",
        **LocalCluster().environment(),
    }
    arguments = [_program("argocd"), *flags, "--logformat=text"]
    return Program(f"argocd-{name}", arguments, ready=lambda: http_ok(health), environment=environment)


def _program(name: str) -> str:
    return os.fspath(binaries.folder_of(binaries.ARGO_CD) / name)
