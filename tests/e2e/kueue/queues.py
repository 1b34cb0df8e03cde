"""Two teams in one cohort, each with a namespace, a LocalQueue and half of four cores."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import Any

from featx_operator import kueue
from kubernetes import client

from tests.e2e.operator.harness import NAMESPACE, OTHER_NAMESPACE, Run, apply, kubectl, scripted

TEAMS = {"red": NAMESPACE, "blue": OTHER_NAMESPACE}
CORES = 2  # of each team, nominally; both share what the other leaves
RUN_CORES = 1.25  # the driver's 250m and one executor
READY_SECONDS = 60  # Kueue's default is half an hour
CONFIGURATION = {
    "waitForPodsReady": {
        "timeout": f"{READY_SECONDS}s",
        "recoveryTimeout": f"{READY_SECONDS}s",
        "requeuingStrategy": {"backoffBaseSeconds": 1},
    }
}
NODE_LABEL = "featx.dev/e2e-flavor"


def objects() -> list[dict[str, Any]]:
    """Kueue's objects for the teams."""
    flavor = {
        "metadata": {"name": "e2e"},
        "spec": {
            "nodeLabels": {NODE_LABEL: "yes"},
            "tolerations": [{"key": "e2e", "operator": "Exists", "effect": "NoSchedule"}],
        },
    }
    items: list[tuple[str, dict[str, Any]]] = [("ResourceFlavor", flavor)]
    items += [
        ("WorkloadPriorityClass", {"metadata": {"name": name}, "value": value, "description": "of the tests"})
        for name, value in (("low", 10), ("high", 1000))
    ]
    for team, namespace in TEAMS.items():
        quotas = [{"name": "cpu", "nominalQuota": str(CORES)}, {"name": "memory", "nominalQuota": "64Gi"}]
        cluster_queue = {
            "cohortName": "teams",
            "namespaceSelector": {},
            "preemption": {"reclaimWithinCohort": "Any", "withinClusterQueue": "LowerPriority"},
            "resourceGroups": [
                {"coveredResources": ["cpu", "memory"], "flavors": [{"name": "e2e", "resources": quotas}]}
            ],
        }
        items.append(("ClusterQueue", {"metadata": {"name": team}, "spec": cluster_queue}))
        local = {"metadata": {"name": "runs", "namespace": namespace}, "spec": {"clusterQueue": team}}
        items.append(("LocalQueue", local))
    return [{"apiVersion": kueue.API_VERSION, "kind": kind, **item} for kind, item in items]


def queued(name: str, script: str, team: str = "red", priority: str = "", queue: str = "runs", **spec: Any) -> Run:
    """Applies a run of a team."""
    execution = {"memory": "64Mi", **spec.pop("execution", {})}
    resource = scripted(name, script, execution=execution, **spec)
    labels = {kueue.QUEUE_LABEL: queue, **({kueue.PRIORITY_LABEL: priority} if priority else {})}
    resource["metadata"] |= {"namespace": TEAMS[team], "labels": labels}
    return apply(resource)


def workload(run: Run) -> dict[str, Any]:
    """A run's Workload, or an empty object."""
    command = ("--namespace", run.namespace, "get", "workloads", "--output=json")
    selector = f"--selector=featx.dev/name={run.name}"
    items = json.loads(kubectl(*command, selector).stdout)["items"]
    return dict(items[0]) if items else {}


def state(run: Run, kind: str) -> tuple[str, str]:
    """Status and reason of a condition of a run's Workload."""
    conditions = workload(run).get("status", {}).get("conditions", [])
    condition: dict[str, str] = next((item for item in conditions if item["type"] == kind), {})
    return condition.get("status", ""), condition.get("reason", "")


def delete(*runs: Run) -> None:
    """Deletes runs, and waits until they are gone."""
    for run in runs:
        kubectl("--namespace", run.namespace, "delete", "fx", run.name, "--ignore-not-found", "--timeout=60s")


@dataclass
class Usage(threading.Thread):
    """Samples how many drivers exist that have not ended, five times a second."""

    namespace: str = NAMESPACE
    most: int = 0
    samples: int = 0

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._stopped = threading.Event()

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        core: Any = client.CoreV1Api()
        while not self._stopped.is_set():
            pods = core.list_namespaced_pod(self.namespace, label_selector="featx.dev/role=driver").items
            self.most = max(self.most, sum(pod.status.phase in ("Pending", "Running") for pod in pods))
            self.samples += 1
            time.sleep(0.2)

    def stop(self) -> Usage:
        self._stopped.set()
        self.join()
        return self
