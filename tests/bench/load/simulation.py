"""What is around the operator: users who create resources, the kubelet of all drivers, and a watcher with a clock."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import tempfile
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import yaml
from featx_api import API_VERSION, GROUP, KIND, PLURAL, VERSION

from examples.cluster import paths
from tests.bench.load.control_plane import NAMESPACES

SHA256 = "0" * 64
SCHEDULED_AFTER, RUNNING_AFTER = 0.1, 0.5  # seconds after the creation of a driver
RESOURCES = f"/apis/{GROUP}/{VERSION}"
MERGE = "application/merge-patch+json"


def resource(name: str, namespace: str) -> dict[str, Any]:
    """A run that names no Secret."""
    model = {"onnx": "s3://models/net.onnx", "sha256": SHA256}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "source": {"s3": {"bucket": "images"}},
            "extractor": {"model": model, "layer": "pool"},
            "output": {"uri": f"s3://features/{name}"},
        },
    }


@dataclass
class Times:
    """When what was seen of one run, on a monotonic clock."""

    applied: float = 0.0
    driver: float = 0.0
    running: float = 0.0  # as its kubelet says
    reported: float = 0.0  # as its status says
    succeeded: float = 0.0
    ended: float = 0.0
    drivers: int = 0
    was_running: bool = False


@dataclass
class Cluster:
    """Requests and watches of the bench. Drivers run for `seconds`."""

    seconds: float
    runs: dict[str, Times] = field(default_factory=dict)
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    # Without it a thousand requests at once would each open a connection.
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(40))

    async def __aenter__(self) -> Cluster:
        server, context = _connection()
        connector = aiohttp.TCPConnector(ssl=context, limit=0)
        self._session = aiohttp.ClientSession(server, connector=connector, timeout=aiohttp.ClientTimeout(None))
        for namespace in NAMESPACES:
            self.start(self._watch(f"{RESOURCES}/namespaces/{namespace}/{PLURAL}", "", self._on_resource))
            self.start(self._watch(f"/api/v1/namespaces/{namespace}/pods", "featx.dev/role=driver", self._on_pod))
        await asyncio.sleep(0.5)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self._session.close()

    def start(self, work: Any) -> None:
        """Starts a task that ends with the cluster."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def request(self, method: str, path: str, body: Any, content_type: str = "application/json") -> Any:
        """Sends a request; raises for anything but a success."""
        async with self._slots:
            headers = {"Content-Type": content_type}
            async with self._session.request(method, path, data=json.dumps(body), headers=headers) as response:
                text = await response.read()
                if response.status >= 300:
                    raise RuntimeError(f"{method} {path}: {response.status} {text[:300]!r}")
                return json.loads(text)

    async def apply(self, name: str, number: int) -> None:
        """Creates a run."""
        namespace = NAMESPACES[number % len(NAMESPACES)]
        self.runs[name] = Times(applied=time.monotonic())
        await self.request("POST", f"{RESOURCES}/namespaces/{namespace}/{PLURAL}", resource(name, namespace))

    async def _watch(self, path: str, labels: str, handle: Any) -> None:
        version = ""
        while True:
            query = {"watch": "true", "labelSelector": labels, "resourceVersion": version or "0"}
            async with self._session.get(path, params=query) as response:
                if response.status != 200:  # its watch cache is not ready yet
                    await asyncio.sleep(0.2)
                    continue
                buffer = b""
                async for chunk in response.content.iter_any():
                    *lines, buffer = (buffer + chunk).split(b"\n")
                    for line in lines:
                        event = json.loads(line)
                        version = event["object"]["metadata"].get("resourceVersion", "")
                        handle(event["type"], event["object"], time.monotonic())

    def _on_resource(self, _: str, body: dict[str, Any], now: float) -> None:
        run = self.runs.get(body["metadata"]["name"])
        if run is None:
            return
        truths = {item["type"]: item["status"] for item in (body.get("status") or {}).get("conditions", ())}
        if truths.get("DriverReady") == "True":
            run.was_running = True
        if not run.reported and (run.was_running or truths.get("Succeeded") in ("True", "False")):
            run.reported = now
        if not run.succeeded and truths.get("Succeeded") == "True":
            run.succeeded = now

    def _on_pod(self, type_: str, body: dict[str, Any], now: float) -> None:
        run = self.runs.get(body["metadata"]["labels"]["featx.dev/name"])
        if type_ != "ADDED" or run is None:
            return
        run.drivers += 1
        run.driver = run.driver or now
        self.start(self._live(run, body["metadata"], now))

    async def _live(self, run: Times, metadata: dict[str, Any], created: float) -> None:
        """What scheduler and kubelet do to a driver: it starts, runs and succeeds."""
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
        await asyncio.sleep(max(0.0, created + SCHEDULED_AFTER - time.monotonic()))
        await self.request("PATCH", path, {"status": {"conditions": conditions(ready=False)}}, MERGE)
        await asyncio.sleep(max(0.0, created + RUNNING_AFTER - time.monotonic()))
        await self.request("PATCH", path, {"status": running()}, MERGE)
        run.running = time.monotonic()
        await asyncio.sleep(self.seconds)
        await self.request("PATCH", path, {"status": succeeded()}, MERGE)
        run.ended = time.monotonic()


def conditions(ready: bool) -> list[dict[str, str]]:
    """Conditions of a pod that has a node."""
    truth = "True" if ready else "False"
    return [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": truth}]


def running() -> dict[str, Any]:
    """Status of a running driver."""
    return {
        "phase": "Running",
        "podIP": "10.0.0.1",
        "conditions": conditions(ready=True),
        "containerStatuses": [_container({"running": {"startedAt": "2026-11-27T00:00:00Z"}}, True)],
    }


def succeeded() -> dict[str, Any]:
    """Status of a driver that succeeded."""
    message = json.dumps({"result": "Succeeded", "progress": {"imagesDone": 1, "imagesTotal": 1}, "outputs": []})
    ended = {"exitCode": 0, "reason": "Completed", "message": message, "finishedAt": "2026-11-27T00:00:09Z"}
    return {
        "phase": "Succeeded",
        "conditions": conditions(ready=False),
        "containerStatuses": [_container({"terminated": ended}, False)],
    }


def _container(state: dict[str, Any], ready: bool) -> dict[str, Any]:
    image = {"image": "localhost/featx/job:dev", "imageID": ""}
    return {"name": "driver", "ready": ready, "restartCount": 0, "state": state, "started": ready, **image}


def _connection() -> tuple[str, ssl.SSLContext]:
    """The API server's address, and the administrator's certificate."""
    config = yaml.safe_load(paths.ADMIN_KUBECONFIG.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    with tempfile.NamedTemporaryFile("wb") as file:
        for part in ("client-certificate-data", "client-key-data"):
            file.write(base64.b64decode(user[part]))
        file.flush()
        context.load_cert_chain(file.name)
    return cluster["server"], context
