"""etcd and kube-apiserver alone: no node, no controllers, and an audit log of what the operator requests.

The operator gets the rights that the chart grants it, by a token of its service account.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import yaml

from examples.cluster import binaries, certificates, control_plane, network, paths, processes
from examples.cluster.local import MANIFESTS, kubectl

ROOT = Path(__file__).resolve().parents[3]
RELEASE_NAMESPACE = "featx-system"
NAMESPACES = tuple(f"team-{letter}" for letter in "abcd")
USER = f"system:serviceaccount:{RELEASE_NAMESPACE}:featx-operator"
POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [{"level": "Metadata", "users": [USER]}, {"level": "None"}],
}


@contextlib.contextmanager
def started() -> Iterator[None]:
    """Starts both in a network namespace of their own, which this thread enters, and removes everything at the end."""
    binaries.build()
    os.environ["PATH"] = os.pathsep.join([*map(str, binaries.folders()), os.environ["PATH"]])
    _remove()
    network.create()
    try:
        certificates.make()
        programs = control_plane.etcd(), _audited(control_plane.api_server())
        for program in programs:
            processes.start(program)
            processes.wait_until_ready(program)
        network.enter()
        _install()
        yield
    finally:
        _remove()


def audit_log() -> Path:
    """Where the operator's requests are logged."""
    return paths.LOGS / "audit.log"


def requests(start: int = 0) -> Counter[str]:
    """The operator's requests by verb, kind and failure, from an offset of the audit log on; without watches."""
    counts: Counter[str] = Counter()
    with audit_log().open("rb") as log:
        log.seek(start)
        for line in log:
            event = json.loads(line)
            target = event.get("objectRef", {})
            kind = "/".join(filter(None, (target.get("resource", event["requestURI"]), target.get("subresource"))))
            code = event["responseStatus"]["code"]
            if event["verb"] != "watch":
                counts[f"{event['verb']} {kind}{f' {code}' if code >= 400 else ''}"] += 1
    return counts


def kubeconfig(folder: Path, port: int | None) -> Path:
    """Writes the operator's kubeconfig; returns its path.

    Args:
        folder: Where to write it.
        port: Of a proxy on loopback to go through, or None.
    """
    token = kubectl("create", "token", "featx-operator", f"--namespace={RELEASE_NAMESPACE}", "--duration=4h").strip()
    config = yaml.safe_load(kubectl("config", "view", "--raw", "--minify"))
    config["users"][0]["user"] = {"token": token}
    if port:
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    path = folder / "kubeconfig.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def _audited(program: processes.Program) -> processes.Program:
    policy = paths.write_settings(paths.CONFIG / "audit.yaml", json.dumps(POLICY))
    audit_log().parent.mkdir(parents=True, exist_ok=True)
    audit_log().write_text("")
    flags = [f"--audit-policy-file={policy}", f"--audit-log-path={audit_log()}", "--audit-log-maxsize=2000"]
    # It is not what is measured: with its small heap, a quarter of its time would go to garbage collection.
    return replace(program, arguments=[*program.arguments, *flags], environment={"GOGC": "400"})


def _install() -> None:
    for file in (MANIFESTS / "access.yaml", ROOT / "crds/featureextractions.featx.dev.yaml"):
        kubectl("apply", "--filename", str(file))
    kubectl("wait", "--for=condition=Established", "crd/featureextractions.featx.dev", "--timeout=30s")
    for name in (RELEASE_NAMESPACE, *NAMESPACES):
        kubectl("create", "namespace", name)
    templates = ["--show-only=templates/operator-access.yaml", "--show-only=templates/job-access.yaml"]
    chart = ["helm", "template", "featx", str(ROOT / "charts/featx"), "--namespace", RELEASE_NAMESPACE, *templates]
    chart += ["--set", f"namespaces={{{','.join(NAMESPACES)}}}", "--kube-version=1.34.0"]
    rendered = paths.CONFIG / "access.yaml"
    rendered.write_text(subprocess.run(chart, text=True, capture_output=True, check=True).stdout)
    kubectl("apply", "--filename", str(rendered))


def _remove() -> None:
    for program in ("kube-apiserver", "etcd"):
        processes.stop(program)
    for folder in (paths.RUN / "pki", paths.KUBECONFIGS, paths.CONFIG, paths.ETCD):
        shutil.rmtree(folder, ignore_errors=True)
    network.delete()
