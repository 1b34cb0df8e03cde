"""The Workload of a run: what its driver and executors will request, for Kueue to reserve. Pure.

An executor's pod is completed by Spark, whose memory follows from the models unless the run sets it. Kueue reserves
before any model is read, so a queued run has to set it (`decisions/policies/admission.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from featx_api import API_VERSION, KIND, contract
from featx_api.execution import Execution
from featx_api.resource import FeatureExtraction

from featx_operator import kueue, manifests
from featx_operator.manifests import Manifest
from featx_operator.node_pools import NodePool
from featx_operator.state.workload import PodSet, Workload, pod_set_from

REQUEST_CORES = "spark.kubernetes.executor.request.cores"
LIMIT_CORES = "spark.kubernetes.executor.limit.cores"
#: Fields of a pod that its place depends on. All others, such as volumes, are no business of who may read Workloads.
_PLACING = ("nodeSelector", "tolerations", "priorityClassName", "topologySpreadConstraints", "runtimeClassName")


def most_executors(execution: Execution) -> int:
    """The highest number of executors that a run may have at a time."""
    return execution.max_executors or execution.executors or 1


def least_executors(execution: Execution) -> int | None:
    """The lowest number of executors that a run starts with, or None if it always has all."""
    return None if execution.max_executors is None else max(execution.min_executors or 0, 1)


def manifest(
    resource: FeatureExtraction,
    default_image: str,
    queue: str,
    priority: int,
    priority_class: Mapping[str, str] | None,
    pool: NodePool | None = None,
) -> Manifest:
    """The Workload of a run.

    Args:
        resource: The run.
        default_image: Of the job, unless the run chooses another.
        queue: Name of the LocalQueue.
        priority: Of the run, higher first.
        priority_class: Group, kind and name of the class that the priority comes from, if there is one.
        pool: The node pool that the run has chosen, as the chart's values describe it.
    """
    uid = str(resource.metadata["uid"])
    owner = {"apiVersion": API_VERSION, "kind": KIND, "name": resource.name, "uid": uid, "controller": True}
    labels = {
        "app.kubernetes.io/managed-by": "featx",
        contract.LABEL_NAME: resource.name,
        contract.LABEL_UID: uid,
        kueue.JOB_UID_LABEL: uid,
    }
    return {
        "apiVersion": kueue.API_VERSION,
        "kind": "Workload",
        "metadata": {
            "name": kueue.workload_name(resource.name, uid),
            "namespace": resource.metadata["namespace"],
            "labels": labels,
            "ownerReferences": [owner],
        },
        "spec": {
            "queueName": queue,
            "podSets": pod_sets(resource, default_image, pool),
            "priority": priority,
            **({"priorityClassRef": dict(priority_class)} if priority_class else {}),
        },
    }


def pod_sets(resource: FeatureExtraction, default_image: str, pool: NodePool | None = None) -> list[Manifest]:
    """The pod sets of a run: its driver, and its executors if it has any."""
    execution = resource.spec.execution
    count, least = most_executors(execution), least_executors(execution)
    driver = {"name": contract.DRIVER, "count": 1, "template": _driver(resource, default_image, pool)}
    executor = {"name": contract.EXECUTOR, "count": count, "template": _executor(resource, default_image, pool)}
    if least is not None and least < count:
        executor["minCount"] = least
    return [driver, executor] if count else [driver]


def executor_cpu(execution: Execution, pool: NodePool | None) -> tuple[str, str | None]:
    """CPU request and limit of an executor, as the job has Spark set them.

    Args:
        execution: What the run asks for.
        pool: The node pool that the run has chosen, as the chart's values describe it.
    """
    conf, limited = execution.spark_conf, execution.cpu_limits or (pool is not None and pool.exclusive_cores)
    request = conf.get(REQUEST_CORES, str(execution.cores))
    return request, conf.get(LIMIT_CORES, request if limited else None)


def asks_for(
    workload: Workload,
    resource: FeatureExtraction,
    default_image: str,
    pool: NodePool | None = None,
    *,
    in_use: bool = False,
) -> bool:
    """Whether a Workload asks for what the run will use. Kueue drops `minCount` if it never grants fewer pods.

    Args:
        workload: The Workload.
        resource: The run.
        default_image: Of the job, unless the run chooses another.
        pool: The node pool that the run has chosen.
        in_use: Whether the run has quota by it: then it may ask for more executors than the run has by now.
    """
    expected = {item["name"]: pod_set_from(item) for item in pod_sets(resource, default_image, pool)}
    if workload.pod_sets.keys() != expected.keys():
        return False
    executors = expected.get(contract.EXECUTOR)
    if in_use and executors and resource.spec.execution.max_executors is None and executors.count <= workload.executors:
        expected[contract.EXECUTOR] = replace(executors, count=workload.pod_sets[contract.EXECUTOR].count)
    return all(_same(workload.pod_sets[name], pod_set) for name, pod_set in expected.items())


def _same(one: PodSet, other: PodSet) -> bool:
    return (one.count, one.requests, one.node_selector) == (other.count, other.requests, other.node_selector)


def _driver(resource: FeatureExtraction, default_image: str, pool: NodePool | None) -> Manifest:
    pod = manifests.driver_pod(resource, 1, default_image, pool=pool)
    (container,) = pod["spec"]["containers"]
    return _template(pod, container["resources"], container["image"])


def _executor(resource: FeatureExtraction, default_image: str, pool: NodePool | None) -> Manifest:
    """The template as Spark completes it: requests of cores and memory, and the limits that it sets."""
    execution = resource.spec.execution
    cores, limit = executor_cpu(execution, pool)
    memory = execution.memory or "0"
    resources: dict[str, dict[str, Any]] = {
        "requests": {"cpu": cores, "memory": memory},
        "limits": {"memory": memory, **({"cpu": limit} if limit else {})},
    }
    return _template(manifests.executor_template(resource, 1, pool), resources, execution.image or default_image)


def _template(pod: Manifest, resources: Mapping[str, Any], image: str) -> Manifest:
    labels = {key: value for key, value in pod["metadata"]["labels"].items() if key != contract.LABEL_ATTEMPT}
    placing = {key: pod["spec"][key] for key in _PLACING if key in pod["spec"]}
    name = pod["spec"]["containers"][0]["name"]
    container = {"name": name, "image": image, "resources": resources}
    return {"metadata": {"labels": labels}, "spec": {**placing, "containers": [container]}}
