"""Runs whose kubelet and driver are simulated, at a real API server: what becomes of each is in its name."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from typing import Any

from featx_api.contract import PROGRESS_ANNOTATION

from tests.bench.load.simulation import MERGE, Cluster, Times, conditions, running

TABLE = {"kind": "features", "format": "delta", "recordCount": 9, "bytes": 4096}


class Runs(Cluster):
    """Runs named after how they end: `good`, `bad`, `flaky` (one attempt fails), `slow` and `waiting` (they go on)."""

    async def _live(self, run: Times, metadata: dict[str, Any], created: float) -> None:
        """What scheduler, kubelet and the driver itself do to a driver pod."""
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        name = metadata["labels"]["featx.dev/name"]
        kind = name.split("-")[0]
        await self.request("PATCH", f"{path}/status", {"status": {"conditions": conditions(ready=False)}}, MERGE)
        await asyncio.sleep(0.3)
        await self.request("PATCH", f"{path}/status", {"status": running()}, MERGE)
        run.running = time.monotonic()
        if kind in ("slow", "waiting"):
            await self._executor(metadata)
            await self._work(path, waiting=kind == "waiting")
        else:
            await asyncio.sleep(1)
        fails = kind == "bad" or (kind == "flaky" and metadata["labels"]["featx.dev/attempt"] == "1")
        outcome = failed(retryable=kind == "flaky") if fails else succeeded(name)
        await self.request("PATCH", f"{path}/status", {"status": ended(outcome, int(fails))}, MERGE)

    async def _work(self, path: str, waiting: bool) -> None:
        """Finishes a shard of ten images a second, and reports it as a driver does, until the runs are left."""
        started = time.monotonic()
        for _ in itertools.count():
            text = json.dumps(progress(time.monotonic() - started, waiting))
            await self.request("PATCH", path, {"metadata": {"annotations": {PROGRESS_ANNOTATION: text}}}, MERGE)
            await asyncio.sleep(1)

    async def _executor(self, driver: dict[str, Any]) -> None:
        """Creates an executor as Spark does, and has it run."""
        owner = {"apiVersion": "v1", "kind": "Pod", "name": driver["name"], "uid": driver["uid"], "controller": True}
        metadata = {
            "name": f"{driver['name']}-exec-1",
            "labels": {**driver["labels"], "featx.dev/role": "executor"},
            "ownerReferences": [owner],
        }
        container = {"name": "executor", "image": "localhost/featx/job:dev"}
        spec = {
            "serviceAccountName": "featx-job",
            "automountServiceAccountToken": False,
            "containers": [container],
        }
        path = f"/api/v1/namespaces/{driver['namespace']}/pods"
        await self.request("POST", path, {"metadata": metadata, "spec": spec})
        status = {"phase": "Running", "conditions": conditions(ready=True)}
        await self.request("PATCH", f"{path}/{metadata['name']}/status", {"status": status}, MERGE)


def progress(elapsed: float, waiting: bool) -> dict[str, Any]:
    """What a driver with one executor reports after some seconds."""
    second = round(elapsed)
    steps = {"read": 0.5, "decode": 0.8, "idle": 0.1, "detect": 0.3, "extract": 0.4, "write": 0.1}
    wait = {"waiting": "s3://images does not respond", "waitingReason": "StoreUnreachable"} if waiting else {}
    return {
        "imagesDone": 10 * second,
        "imagesFailed": second,
        "imagesTotal": 100_000,
        "imagesPerSecond": 10.0,
        "shardsDone": second,
        "shardsTotal": 10_000,
        "stepSeconds": {step: round(seconds * second, 1) for step, seconds in steps.items()},
        **wait,
    }


def succeeded(name: str) -> dict[str, Any]:
    """The report of a driver that succeeds."""
    outputs = [{"uri": f"s3://features/{name}", **TABLE}]
    return {"result": "Succeeded", "progress": {"imagesDone": 9, "imagesTotal": 9}, "outputs": outputs}


def failed(retryable: bool) -> dict[str, Any]:
    """The report of a driver that fails."""
    class_ = "StoreUnreachable" if retryable else "SourceEmpty"
    return {"result": "Failed", "failure": {"class": class_, "message": "by the test"}, "retryable": retryable}


def ended(outcome: dict[str, Any], code: int) -> dict[str, Any]:
    """Status of a driver pod that has ended."""
    finished = {"startedAt": "2026-11-27T00:00:00Z", "finishedAt": "2026-11-27T00:00:09Z"}
    state = {"terminated": {"exitCode": code, "reason": "x", "message": json.dumps(outcome), **finished}}
    image = {"image": "localhost/featx/job:dev", "imageID": ""}
    container = {"name": "driver", "ready": False, "restartCount": 0, "state": state, "started": False, **image}
    phase = "Failed" if code else "Succeeded"
    return {"phase": phase, "conditions": conditions(ready=False), "containerStatuses": [container]}
