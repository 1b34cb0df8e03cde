"""Two namespaces with an operator process: start and stop it, apply runs, and read what becomes of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from featx_api import GROUP, PLURAL, VERSION
from featx_operator.objects import Owner, owner_from
from kubernetes import client, config

from examples.cluster.runtime import PAUSE_IMAGE
from tests.e2e.operator.image import SCRIPTED_DRIVER, VARIABLE
from tests.e2e.polling import PATIENCE, eventually

# pytest-xdist runs several processes, each with namespaces and an operator of its own.
NAMESPACE = "featx-operator-e2e" + os.environ.get("PYTEST_XDIST_WORKER", "")
OTHER_NAMESPACE = f"{NAMESPACE}-other"  # another tenant's
IMAGE = os.environ.get(VARIABLE, SCRIPTED_DRIVER.tag)
SHA256 = "2a56a11a57a4a295956b0660b4a3d76bbdca2206c4961cea8efe7d95c7cb2f2d"
ALLOWED = {
    "serviceAccounts": ["featx-job", "nobody"],
    "images": [IMAGE, "localhost/featx/no-such-image:1", PAUSE_IMAGE],
    "nodePools": ["no-such-pool"],
}
# The Lease outlives the pauses of a machine on which several processes run tests.
QUICK = {"BACKOFF_SECONDS": "1", "SECRET_GRACE_SECONDS": "6", "LEASE_SECONDS": "8", "PROGRESS_SECONDS": "2"}


def kubectl(*arguments: str, stdin: object = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs kubectl, by default in the namespace; an object as stdin is sent as JSON, a string unchanged."""
    text = stdin if isinstance(stdin, str) or stdin is None else json.dumps(stdin)
    command = ["kubectl", "--namespace", NAMESPACE, *arguments]
    outcome = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    assert outcome.returncode == 0 or not check, f"{' '.join(command)}: {outcome.stderr}"
    return outcome


def scripted(name: str, script: str, **spec: Any) -> dict[str, Any]:
    """A resource whose driver follows a script."""
    model = {"prototxt": "s3://models/net.prototxt", "weights": "s3://models/net.caffemodel", "sha256": SHA256}
    execution = {"image": IMAGE, "driverMemory": "64Mi"}
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "FeatureExtraction",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "source": {"s3": {"bucket": "images"}},
            "extractor": {"model": model, "layer": script or "none"},
            "output": {"uri": "s3://features/table"},
            **spec,
            "execution": execution | spec.get("execution", {}),
        },
    }


def secret(name: str, **labels: str) -> dict[str, Any]:
    """A Secret with the credentials of a store."""
    values = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels},
        "stringData": values,
    }


class Operator:
    """An operator process."""

    def __init__(self, kubeconfig: Path, log: Path, allowed: object = ALLOWED, **settings: str) -> None:
        self._environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "FEATX_NAMESPACES": f"{NAMESPACE},{OTHER_NAMESPACE}",
            "FEATX_LEASE_NAMESPACE": NAMESPACE,
            "FEATX_LOG_FORMAT": "text",
            "FEATX_PROBE_PORT": "0",
            "FEATX_METRICS_PORT": "0",
            "FEATX_ALLOWED": json.dumps({"allowed": allowed}),
            **{f"FEATX_{name}": value for name, value in {**QUICK, **settings}.items()},
        }
        self._log = log
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """Its output since it was last started."""
        return self._log.read_text()[self._log_start :]

    def until_active(self) -> Operator:
        """Waits until it holds the Lease."""
        eventually(lambda: "is active now" in self.log, "an active operator")
        return self

    def start(self) -> Operator:
        """Starts it, without waiting until it is active."""
        with self._log.open("ab") as output:
            self._log_start = output.tell()
            command = [sys.executable, "-m", "featx_operator"]
            self._process = subprocess.Popen(command, env=self._environment, stdout=output, stderr=output)
        return self

    def stop(self, signal_: signal.Signals) -> int:
        """Stops it by a signal; returns its exit code."""
        assert self._process
        if self._process.poll() is None:
            self._process.send_signal(signal_)
        return self._process.wait(30)

    def signal(self, signal_: signal.Signals) -> None:
        """Sends a signal, unless it has ended."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal_)

    def wait(self) -> int:
        """Waits until it ends by itself; returns its exit code."""
        assert self._process
        return self._process.wait(30)

    def kill(self) -> None:
        """Kills it, like a crash."""
        self.stop(signal.SIGKILL)

    @property
    def resident_mebibytes(self) -> float:
        """Its resident memory."""
        assert self._process
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


class Run:
    """One resource, as the API server has it."""

    def __init__(self, name: str, namespace: str = NAMESPACE) -> None:
        self.name = name
        self.namespace = namespace
        self._resources: Any = client.CustomObjectsApi()
        self._core: Any = client.CoreV1Api()

    @property
    def body(self) -> dict[str, Any]:
        return dict(self._resources.get_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, self.name))

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.body.get("status") or {})

    @property
    def owner(self) -> Owner:
        """The resource as its children know it."""
        return owner_from(self.body)

    def condition(self, kind: str) -> dict[str, str]:
        return next((item for item in self.status.get("conditions", []) if item["type"] == kind), {})

    def state(self, kind: str) -> tuple[str, str]:
        """Status and reason of a condition, or empty strings."""
        condition = self.condition(kind)
        return condition.get("status", ""), condition.get("reason", "")

    def until(self, kind: str, status: str, reason: str = "", patience: float = PATIENCE) -> Run:
        """Waits for a condition."""

        def reached() -> bool:
            current = self.state(kind)
            return current[0] == status and reason in ("", current[1])

        try:
            eventually(reached, f"{kind} is {status} {reason}", patience)
        except AssertionError as error:
            raise AssertionError(f"{error}; status is {json.dumps(self.status, indent=1)}") from None
        return self

    @property
    def column(self) -> str:
        """The first column of `kubectl get fx`."""
        return kubectl("get", "fx", self.name, "--no-headers").stdout.split()[1]

    def shows(self, column: str, patience: float = PATIENCE) -> Run:
        """Waits until the first column of `kubectl get fx` shows this."""
        try:
            eventually(lambda: self.column == column, f"{column} in the first column", patience)
        except AssertionError as error:
            raise AssertionError(f"{error}; status is {json.dumps(self.status, indent=1)}") from None
        return self

    @property
    def message(self) -> str:
        """The message that `kubectl get fx -o wide` shows."""
        return str(self.condition("Succeeded").get("message", ""))

    def change(self, **spec: Any) -> Run:
        kubectl(
            "--namespace",
            self.namespace,
            "patch",
            "fx",
            self.name,
            "--type=merge",
            "--patch",
            json.dumps({"spec": spec}),
        )
        return self

    def proceed(self) -> Run:
        """Lets a driver go on whose script waits at `await`."""
        name = str(self.status["driver"]["podName"])
        kubectl("--namespace", self.namespace, "annotate", "pod", name, "featx.test/proceed=now")
        return self

    def pods(self, role: str = "") -> list[Any]:
        labels = f"featx.dev/name={self.name}" + (f",featx.dev/role={role}" if role else "")
        return list(self._core.list_namespaced_pod(self.namespace, label_selector=labels).items)

    def drivers(self) -> list[str]:
        return sorted(pod.metadata.name for pod in self.pods("driver"))

    def config_maps(self) -> list[str]:
        items = self._core.list_namespaced_config_map(
            self.namespace, label_selector=f"featx.dev/name={self.name}"
        ).items
        return sorted(item.metadata.name for item in items)

    def secrets(self) -> list[str]:
        items = self._core.list_namespaced_secret(self.namespace, label_selector=f"featx.dev/name={self.name}").items
        return sorted(item.metadata.name for item in items)

    def events(self) -> list[str]:
        selector = f"involvedObject.name={self.name},involvedObject.kind=FeatureExtraction"
        items = self._core.list_namespaced_event(self.namespace, field_selector=selector).items
        return [str(item.reason) for item in sorted(items, key=lambda item: item.event_time)]


def apply(resource: dict[str, Any]) -> Run:
    """Applies a resource as users do."""
    metadata = resource["metadata"]
    kubectl("--namespace", metadata["namespace"], "apply", "--filename=-", stdin=resource)
    return Run(metadata["name"], metadata["namespace"])


def connect() -> None:
    """Configures the official client by KUBECONFIG."""
    config.load_kube_config()  # type: ignore[no-untyped-call]
