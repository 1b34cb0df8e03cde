"""Executor pods as they are created: the operator's template, completed with the job's settings as Spark 3.5 does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from featx_api.contract import EXECUTOR_POD_KEY, JOB_KEY, JobSpec
from featx_api.resource import FeatureExtraction
from featx_job.environment import Cluster, Environment
from featx_job.spark import settings
from featx_job.spark.memory import Sizes, mebibytes
from featx_operator import manifests
from featx_operator.node_pools import NodePool


def executor_pod(resource: FeatureExtraction, pool: NodePool | None = None) -> dict[str, Any]:
    """An executor of a run's first attempt, as far as what it asks for is concerned.

    Args:
        resource: The run, with `execution.memory`: otherwise the job derives that from the models.
        pool: The node pool that it has chosen.
    """
    data = manifests.config_map(resource, 1, pool)["data"]
    job, pod = JobSpec.from_json(data[JOB_KEY]), yaml.safe_load(data[EXECUTOR_POD_KEY])
    assert job.spec.execution.memory
    memory = mebibytes(job.spec.execution.memory) * (job.executor_memory_percent or 100) // 100
    cluster = Cluster("driver", job.namespace, "10.0.0.7", "featx/job:1", "/etc/featx/job/executor-pod.yaml")
    environment = Environment(jars=Path("/jars"), work=Path("/work"), cluster=cluster, cores=job.spec.execution.cores)
    conf = settings.conf(job, environment, Sizes(batch=8, streams=1, heap=memory // 2, pod=memory))
    size = sum(int(conf[name].removesuffix("m")) for name in ("spark.executor.memory", "spark.executor.memoryOverhead"))
    container = pod["spec"]["containers"][0]
    limits = container.get("resources", {}).get("limits", {}) | {"memory": f"{size}Mi"}
    if settings.CPU_LIMIT in conf:
        limits["cpu"] = conf[settings.CPU_LIMIT]
    requests = {"cpu": conf[settings.CPU_REQUEST], "memory": f"{size}Mi"}
    container |= {"image": "featx/job:1", "resources": {"requests": requests, "limits": limits}}
    pod |= {"apiVersion": "v1", "kind": "Pod"}
    pod["metadata"] |= {"name": f"{resource.name}-exec-1", "namespace": job.namespace}
    pod["spec"]["restartPolicy"] = "Never"
    return dict(pod)
