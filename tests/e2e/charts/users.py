"""Users with certificates of their own, which the cluster signs, as people of a team have them."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.charts.release import kubectl
from tests.e2e.polling import eventually


class User:
    """A user with a kubeconfig.

    Args:
        folder: Where the key and the kubeconfig are written.
        name: Of the user.
        groups: Of the user.
    """

    def __init__(self, folder: Path, name: str, *groups: str) -> None:
        self.name = name
        self._kubeconfig = folder / f"{name}.yaml"
        key, request = folder / f"{name}.key", folder / f"{name}.csr"
        subject = f"/CN={name}" + "".join(f"/O={group}" for group in groups)
        command = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", subject]
        subprocess.run([*command, "-keyout", str(key), "-out", str(request)], check=True, capture_output=True)
        kubectl("delete", "csr", name, "--ignore-not-found")
        kubectl("create", "--filename=-", stdin=_signing_request(name, request.read_bytes()))
        kubectl("certificate", "approve", name)
        path = "--output=jsonpath={.status.certificate}"
        certificate = eventually(lambda: kubectl("get", "csr", name, path).stdout, f"the certificate of {name}")
        config = yaml.safe_load(kubectl("config", "view", "--raw", "--minify").stdout)
        data = base64.b64encode(key.read_bytes()).decode()
        config["users"][0]["user"] = {"client-certificate-data": certificate, "client-key-data": data}
        self._kubeconfig.write_text(yaml.safe_dump(config))

    def kubectl(self, *arguments: str, stdin: object = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs kubectl as this user."""
        return kubectl(f"--kubeconfig={self._kubeconfig}", *arguments, stdin=stdin, check=check)

    def can(self, verb: str, resource: str, namespace: str) -> bool:
        """Whether the API server lets the user do something; a subresource follows a slash."""
        kind, _, subresource = resource.partition("/")
        question = ["auth", "can-i", verb, kind, f"--subresource={subresource}", f"--namespace={namespace}"]
        answer = self.kubectl(*question, check=False)
        return answer.stdout.strip() == "yes"


def _signing_request(name: str, request: bytes) -> dict[str, Any]:
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {
            "request": base64.b64encode(request).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
        },
    }
