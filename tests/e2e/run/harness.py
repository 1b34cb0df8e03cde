"""Objects in the store, resources in the namespace, tables read back."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
from pathlib import Path
from typing import Any

from minio import Minio

from tests.e2e.names import ENDPOINT, NAMESPACE, STORE_SECRET
from tests.support.models import CaffeFiles
from tests.support.tables import copied, table_of_folder

BUCKET = "e2e"
PATIENCE = 180.0  # two cores start two JVMs and convert two nets


def kubectl(*arguments: str, stdin: object = None, check: bool = True) -> str:
    """Runs kubectl in the namespace; returns its output."""
    command = ["kubectl", "--namespace", NAMESPACE, *arguments]
    text = None if stdin is None else json.dumps(stdin)
    outcome = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    assert outcome.returncode == 0 or not check, f"{' '.join(command)}: {outcome.stderr}"
    return outcome.stdout


class Store:
    """The bucket of images, models and tables."""

    def __init__(self, client: Minio) -> None:
        self.client = client
        if not client.bucket_exists(BUCKET):
            client.make_bucket(BUCKET)

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(BUCKET, key, io.BytesIO(data), len(data))

    def put_images(self, prefix: str, images: dict[str, bytes]) -> str:
        """Uploads images; returns the prefix."""
        for name, data in images.items():
            self.put(f"{prefix}/{name}", data)
        return f"{prefix}/"

    def put_model(self, name: str, files: CaffeFiles) -> dict[str, str]:
        """Uploads a model; returns its part of the spec."""
        for kind, path in (("prototxt", files.prototxt), ("caffemodel", files.caffemodel)):
            self.put(f"models/{name}.{kind}", path.read_bytes())
        return {
            "prototxt": f"s3://{BUCKET}/models/{name}.prototxt",
            "weights": f"s3://{BUCKET}/models/{name}.caffemodel",
            "sha256": hashlib.sha256(files.caffemodel.read_bytes()).hexdigest(),
        }

    def shards_done(self, prefix: str) -> int:
        """The number of committed shards of the run that writes to a prefix."""
        items = self.client.list_objects(BUCKET, f"{prefix}/_featx/", recursive=True)
        return sum("/done/" in str(item.object_name) for item in items)

    def rows(self, prefix: str) -> list[dict[str, Any]]:
        """The rows of the table, or quarantine, at a prefix."""
        items = self.client.list_objects(BUCKET, f"{prefix}/", recursive=True)
        names = [str(item.object_name) for item in items if "/_featx/" not in str(item.object_name)]
        with copied(f"{prefix}/", names, lambda name: self.client.get_object(BUCKET, name).read()) as folder:
            return list(table_of_folder(folder).to_pylist()) if names else []


class Run:
    """One resource, as the API server has it."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def status(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(kubectl("get", "fx", self.name, "--output=json"))
        return dict(body.get("status") or {})

    def condition(self, kind: str) -> dict[str, Any]:
        return next((item for item in self.status.get("conditions", []) if item["type"] == kind), {})

    def wait(self, status: str = "True") -> Run:
        """Waits with kubectl, as a user would."""
        timeout = f"--timeout={PATIENCE:.0f}s"
        output = kubectl("wait", f"--for=condition=Succeeded={status}", f"fx/{self.name}", timeout, check=False)
        assert "condition met" in output, f"{output}{json.dumps(self.status, indent=1)}{self.driver_log()}"
        return self

    def pods(self, role: str) -> list[dict[str, Any]]:
        selector = f"--selector=featx.dev/name={self.name},featx.dev/role={role}"
        return list(json.loads(kubectl("get", "pods", selector, "--output=json"))["items"])

    def driver_log(self) -> str:
        driver = (self.status.get("driver") or {}).get("podName")
        return kubectl("logs", driver, "--tail=60", check=False) if driver else ""


def resource(name: str, store: Store, detector: dict[str, Any] | None, extractor: dict[str, Any], **spec: Any) -> Any:
    """A resource that reads images/NAME/ and writes tables/NAME."""
    source = {
        "endpoint": ENDPOINT,
        "bucket": BUCKET,
        "prefix": f"images/{name}/",
        "secretRef": {"name": STORE_SECRET},
    }
    execution = {
        "cores": 2,
        "memory": "2Gi",
        "nodePool": "xeon",
        "sparkConf": {"spark.kubernetes.executor.request.cores": "500m"},
    }
    return {
        "apiVersion": "featx.dev/v1alpha1",
        "kind": "FeatureExtraction",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "source": {"s3": source},
            **({"detector": detector} if detector else {}),
            "extractor": extractor,
            "output": {"uri": f"s3://{BUCKET}/tables/{name}"},
            **spec,
            "execution": execution | spec.get("execution", {}),
        },
    }


def apply(body: dict[str, Any]) -> Run:
    """Applies a resource as users do."""
    kubectl("apply", "--filename=-", stdin=body)
    return Run(body["metadata"]["name"])


def executor_processes() -> set[int]:
    """The process ids of the executors' JVMs, which are visible on this machine."""
    pids = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue  # it has exited in the meantime
        if words[0].endswith(b"java") and any(b"KubernetesExecutorBackend" in word for word in words):
            pids.add(int(path.parent.name))
    return pids


def contents_by_name(images: list[Path]) -> dict[str, bytes]:
    """The contents of files by their names."""
    return {path.name: path.read_bytes() for path in images}
