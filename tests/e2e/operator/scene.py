"""A namespace with an operator process, and the few things that tests do and see in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from featx_api import GROUP, PLURAL, VERSION
from kubernetes import client, config

from tests.e2e.operator.image import SCRIPTED_DRIVER, VARIABLE

NAMESPACE = "featx-operator-e2e"
IMAGE = os.environ.get(VARIABLE, SCRIPTED_DRIVER.tag)
SHA256 = "2a56a11a57a4a295956b0660b4a3d76bbdca2206c4961cea8efe7d95c7cb2f2d"
QUICK = {"BACKOFF_SECONDS": "1", "SECRET_GRACE_SECONDS": "6", "LEASE_SECONDS": "3", "PROGRESS_SECONDS": "2"}
PATIENCE = 60.0

Result = TypeVar("Result")


def kubectl(*arguments: str, stdin: object = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs kubectl in the namespace; an object as stdin is passed on as JSON, a text as it is."""
    text = stdin if isinstance(stdin, str) or stdin is None else json.dumps(stdin)
    command = ["kubectl", "--namespace", NAMESPACE, *arguments]
    outcome = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    assert outcome.returncode == 0 or not check, f"{' '.join(command)}: {outcome.stderr}"
    return outcome


def eventually(look: Callable[[], Result], what: str = "", patience: float = PATIENCE) -> Result:
    """Looks again and again until what is seen is true, and returns it."""
    deadline = time.monotonic() + patience
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {patience:.0f} s: {what or look.__doc__ or 'it'}"
        time.sleep(0.1)
    return seen


def scripted(name: str, script: str, **spec: Any) -> dict[str, Any]:
    """Returns a resource whose driver follows a script."""
    model = {"prototxt": "s3://models/net.prototxt", "weights": "s3://models/net.caffemodel", "sha256": SHA256}
    execution = {"image": IMAGE, "driverMemory": "64Mi", "sparkConf": {"spark.featx.test.script": script}}
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "FeatureExtraction",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "source": {"s3": {"bucket": "images"}},
            "extractor": {"model": model, "layer": "pool"},
            "output": {"uri": "s3://features/table"},
            **spec,
            "execution": execution | spec.get("execution", {}),
        },
    }


class Operator:
    """An operator process."""

    def __init__(self, kubeconfig: Path, log: Path, **settings: str) -> None:
        self._environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "FEATX_NAMESPACES": NAMESPACE,
            "FEATX_LEASE_NAMESPACE": NAMESPACE,
            "FEATX_LOG_FORMAT": "text",
            "FEATX_PROBE_PORT": "0",
            **{f"FEATX_{name}": value for name, value in {**QUICK, **settings}.items()},
        }
        self._log = log
        self._before = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """Returns what it has written since it was last started."""
        return self._log.read_text()[self._before :]

    def until_it_acts(self) -> Operator:
        """Waits until it holds the Lease."""
        eventually(lambda: "acts now" in self.log, "the operator acts")
        return self

    def start(self) -> Operator:
        """Starts it; does not wait until it acts."""
        with self._log.open("ab") as output:
            self._before = output.tell()
            command = [sys.executable, "-m", "featx_operator"]
            self._process = subprocess.Popen(command, env=self._environment, stdout=output, stderr=output)
        return self

    def end(self, how: signal.Signals) -> int:
        """Ends it by a signal; returns its exit code."""
        assert self._process
        if self._process.poll() is None:
            self._process.send_signal(how)
        return self._process.wait(30)

    def kill(self) -> None:
        """Ends it as a crash would."""
        self.end(signal.SIGKILL)

    @property
    def resident_mebibytes(self) -> float:
        """Returns the memory that it has resident."""
        assert self._process
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


class Run:
    """One resource, as the API server has it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._resources: Any = client.CustomObjectsApi()
        self._core: Any = client.CoreV1Api()

    @property
    def body(self) -> dict[str, Any]:
        found = self._resources.get_namespaced_custom_object(GROUP, VERSION, NAMESPACE, PLURAL, self.name)
        return dict(found)

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.body.get("status") or {})

    def condition(self, kind: str) -> dict[str, str]:
        return next((item for item in self.status.get("conditions", []) if item["type"] == kind), {})

    def said(self, kind: str) -> tuple[str, str]:
        found = self.condition(kind)
        return found.get("status", ""), found.get("reason", "")

    def until(self, kind: str, status: str, reason: str = "", patience: float = PATIENCE) -> Run:
        """Waits for a condition."""

        def there() -> bool:
            found = self.said(kind)
            return found[0] == status and reason in ("", found[1])

        try:
            eventually(there, f"{kind} is {status} {reason}", patience)
        except AssertionError as error:
            raise AssertionError(f"{error}; status is {json.dumps(self.status, indent=1)}") from None
        return self

    def change(self, **spec: Any) -> Run:
        kubectl("patch", "fx", self.name, "--type=merge", "--patch", json.dumps({"spec": spec}))
        return self

    def pods(self, role: str = "") -> list[Any]:
        labels = f"featx.dev/name={self.name}" + (f",featx.dev/role={role}" if role else "")
        return list(self._core.list_namespaced_pod(NAMESPACE, label_selector=labels).items)

    def drivers(self) -> list[str]:
        return sorted(pod.metadata.name for pod in self.pods("driver"))

    def config_maps(self) -> list[str]:
        found = self._core.list_namespaced_config_map(NAMESPACE, label_selector=f"featx.dev/name={self.name}")
        return sorted(item.metadata.name for item in found.items)

    def events(self) -> list[str]:
        selector = f"involvedObject.name={self.name},involvedObject.kind=FeatureExtraction"
        found = self._core.list_namespaced_event(NAMESPACE, field_selector=selector).items
        return [str(item.reason) for item in sorted(found, key=lambda item: item.event_time)]


def apply(resource: dict[str, Any]) -> Run:
    """Applies a resource as people do."""
    kubectl("apply", "--filename=-", stdin=resource)
    return Run(resource["metadata"]["name"])


def connect() -> None:
    """Makes the official client use KUBECONFIG."""
    config.load_kube_config()  # type: ignore[no-untyped-call]
