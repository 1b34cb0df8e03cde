"""The manifests of an attempt: a ConfigMap with the job file and the executors' pod template, a Secret, the driver pod.

Names are deterministic, so a second create fails. Every pod satisfies Pod Security `restricted`. All but the Secret is
pure.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Collection, Sequence
from typing import Any

import yaml
from featx_api import API_VERSION, KIND, contract
from featx_api.contract import JobSpec
from featx_api.execution import Execution, cpus
from featx_api.resource import FeatureExtraction
from featx_api.spec import FeatureExtractionSpec
from featx_api.status import RaisedMemory

from featx_operator.applied import annotation_of
from featx_operator.node_pools import NodePool, labelled
from featx_operator.objects import Owner, driver_name, owner_from
from featx_operator.state.workload import Placement, Placements

Manifest = dict[str, Any]

DRIVER_CPU_LIMIT = "1"  # with cpuLimits, unless it requests more: starting a JVM with less takes minutes
GRACE_SECONDS = 30  # for the driver to end its executors
EXECUTOR_GRACE_SECONDS = 90  # to end the shards that it has begun; a spot node is taken away after 30 to 120 s
TOKEN_SECONDS = 3600  # the kubelet renews it in time; a copy is of no use for longer, nor after the driver
FILE_MODE = 0o440  # of Secrets and the token: their owner is root, and `fsGroup` makes them the driver's
KEY_BYTES = 32
_DUMPER: type[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # in C: a fifth of the operator's CPU time less
NOWHERE = Placements()  # a run that Kueue does not place


def config_map_name(owner: Owner, attempt: int) -> str:
    """The name of an attempt's ConfigMap."""
    return f"{_files_prefix(owner)}-{attempt}-{contract.JOB}"


def authentication_name(owner: Owner, attempt: int) -> str:
    """The name of an attempt's Secret."""
    return f"{_files_prefix(owner)}-{attempt}-{contract.AUTHENTICATION}"


def files(owner: Owner, attempt: int) -> tuple[tuple[str, str], tuple[str, str]]:
    """Kinds and names of what an attempt's pods mount, the one that is created last first."""
    return ("Secret", authentication_name(owner, attempt)), ("ConfigMap", config_map_name(owner, attempt))


def attempt_of(owner: Owner, config_map: str) -> int | None:
    """The attempt of a ConfigMap of this resource, or None if it has another name."""
    match = re.fullmatch(rf"{re.escape(_files_prefix(owner))}-([1-9][0-9]{{0,8}})-{contract.JOB}", config_map)
    return int(match[1]) if match else None


def _files_prefix(owner: Owner) -> str:
    """The start of the names of a resource's files.

    With its uid: the kubelet caches what pods mount by name, and may mount the file of a deleted resource of that name.
    """
    return f"{owner.key.name}-{contract.short_uid(owner.uid)}"


def labels(resource: FeatureExtraction, attempt: int, role: str) -> dict[str, str]:
    """The labels that identify a run's children."""
    return {
        "app.kubernetes.io/managed-by": "featx",
        contract.LABEL_NAME: resource.name,
        contract.LABEL_UID: str(resource.metadata["uid"]),
        contract.LABEL_ATTEMPT: str(attempt),
        contract.LABEL_ROLE: role,
    }


def config_map(
    resource: FeatureExtraction,
    attempt: int,
    pool: NodePool | None = None,
    pull_secrets: tuple[str, ...] = (),
    placements: Placements = NOWHERE,
) -> Manifest:
    """The ConfigMap that an attempt's driver reads; pool, pull Secrets and placements are the executors'."""
    template = executor_template(resource, attempt, pool, pull_secrets, placements)
    spec = resource.spec.model_copy(update={"execution": execution_of(resource)})
    job = JobSpec(
        name=resource.name,
        namespace=resource.metadata["namespace"],
        uid=resource.metadata["uid"],
        attempt=attempt,
        spec=_granted(spec, placements.most_executors),
        executor_memory_percent=executor_percent(resource),
        most_executors=(placements.most_executors or None) if spec.execution.max_executors is None else None,
    )
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(resource, attempt, config_map_name(_owner(resource), attempt), contract.JOB),
        "immutable": True,
        "data": {
            contract.JOB_KEY: json.dumps(job.to_wire(), indent=2, ensure_ascii=False),
            contract.EXECUTOR_POD_KEY: yaml.dump(template, Dumper=_DUMPER, sort_keys=False),
        },
    }


def authentication(resource: FeatureExtraction, attempt: int) -> Manifest:
    """The Secret by which an attempt's driver and executors recognize each other: another one each time."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _metadata(
            resource, attempt, authentication_name(_owner(resource), attempt), contract.AUTHENTICATION
        ),
        "immutable": True,
        "stringData": {contract.AUTHENTICATION_KEY: secrets.token_hex(KEY_BYTES)},
    }


def driver_pod(
    resource: FeatureExtraction,
    attempt: int,
    default_image: str,
    url_hosts: tuple[str, ...] = (),
    pool: NodePool | None = None,
    pull_secrets: tuple[str, ...] = (),
    placements: Placements = NOWHERE,
) -> Manifest:
    """The driver pod of an attempt.

    Args:
        resource: The run.
        attempt: Its number.
        default_image: Of the job, unless the run chooses another.
        url_hosts: Hosts that the run may fetch images from.
        pool: The node pool that the run has chosen, as the chart's values describe it.
        pull_secrets: Names of the Secrets that pull the image.
        placements: What its admission by Kueue adds.
    """
    spec = resource.spec
    image = spec.execution.image or default_image
    volumes, mounts = _volumes(resource, attempt)
    files = config_map(resource, attempt, pool, pull_secrets, placements)["data"]
    job = {"name": contract.JOB, "configMap": {"name": config_map_name(_owner(resource), attempt)}}
    environment = [
        {"name": contract.FEATX_JOB, "value": contract.JOB_FILE},
        {"name": contract.FEATX_JOB_SHA256, "value": _sha256(files[contract.JOB_KEY])},
        {"name": contract.FEATX_EXECUTOR_POD, "value": contract.EXECUTOR_POD_FILE},
        {"name": contract.FEATX_EXECUTOR_POD_SHA256, "value": _sha256(files[contract.EXECUTOR_POD_KEY])},
        {"name": contract.FEATX_JOB_IMAGE, "value": image},
        *([{"name": contract.FEATX_URL_HOSTS, "value": ",".join(url_hosts)}] if url_hosts else []),
        _field(contract.POD_NAME, "metadata.name"),
        _field(contract.POD_NAMESPACE, "metadata.namespace"),
        _field(contract.POD_IP, "status.podIP"),
    ]
    container = {
        "name": contract.DRIVER,
        "image": image,
        "command": ["python3", "-m", "featx_job"],
        "env": environment,
        "resources": driver_resources(execution_of(resource)),
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": contract.JOB, "mountPath": contract.JOB_FOLDER, "readOnly": True},
            {"name": contract.TOKEN, "mountPath": contract.TOKEN_FOLDER, "readOnly": True},
            *mounts,
        ],
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **_metadata(resource, attempt, driver_name(resource.name, attempt), contract.DRIVER),
            "annotations": {contract.APPLIED_ANNOTATION: annotation_of(spec), **_executors(spec)},
        },
        "spec": {
            **_placement(spec),
            **pulling(pull_secrets),
            **(chosen.driver_placement() if (chosen := _pool(spec, pool)) else {}),
            "serviceAccountName": spec.execution.service_account_name,
            "automountServiceAccountToken": False,  # the one of `_TOKEN` lives shorter
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "containers": [container],
            "volumes": [job, _TOKEN, *volumes],
        },
    }
    return placed(pod, placements.driver)


def driver_resources(execution: Execution) -> dict[str, dict[str, str]]:
    """Requests and limits of a driver. Without cpuLimits it has none of CPU, so that listing a bucket is not slowed."""
    requested = execution.driver_cpu
    cpu = {"cpu": requested if cpus(requested) > cpus(DRIVER_CPU_LIMIT) else DRIVER_CPU_LIMIT}
    return {
        "requests": {"cpu": requested, "memory": execution.driver_memory},
        "limits": {**(cpu if execution.cpu_limits else {}), "memory": execution.driver_memory},
    }


def executor_template(
    resource: FeatureExtraction,
    attempt: int,
    pool: NodePool | None = None,
    pull_secrets: tuple[str, ...] = (),
    placements: Placements = NOWHERE,
) -> Manifest:
    """The template of executor pods; Spark adds image, resources, names and the owner."""
    volumes, mounts = _volumes(resource, attempt)
    own_labels, chosen = labels(resource, attempt, contract.EXECUTOR), _pool(resource.spec, pool)
    # It gets no Kubernetes token: the account is only for the cloud's own.
    account = {"serviceAccountName": resource.spec.execution.service_account_name}
    container = {"name": contract.EXECUTOR, "securityContext": CONTAINER_SECURITY, "volumeMounts": mounts}
    if chosen and chosen.exclusive_cores:  # Spark requests as many, and memory as its own limit: the pod is Guaranteed
        container["resources"] = {"limits": {"cpu": str(resource.spec.execution.cores)}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"labels": own_labels},
        "spec": {
            **_placement(resource.spec),
            **pulling(pull_secrets),
            **(chosen.executor_placement(own_labels) if chosen else {}),
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": EXECUTOR_GRACE_SECONDS,
            **(account if resource.spec.by_pod_identity else {}),
            "containers": [container],
            "volumes": volumes,
        },
    }
    return placed(pod, placements.executor)


def placed(pod: Manifest, placement: Placement) -> Manifest:
    """A pod with what an admission adds to it; what Featx itself sets stays."""
    metadata, spec = dict(pod["metadata"]), dict(pod["spec"])
    for part, name, added in (
        (metadata, "labels", placement.labels),
        (metadata, "annotations", placement.annotations),
        (spec, "nodeSelector", placement.node_selector),
    ):
        if added:
            part[name] = {**added, **part.get(name, {})}
    if placement.tolerations:
        spec["tolerations"] = [*spec.get("tolerations", []), *map(dict, placement.tolerations)]
    return {**pod, "metadata": metadata, "spec": spec}


def _executors(spec: FeatureExtractionSpec) -> dict[str, str]:
    """The annotation by which the number of executors changes while the driver works."""
    fixed = spec.execution.max_executors is None
    return {contract.EXECUTORS_ANNOTATION: str(spec.execution.wanted)} if fixed else {}


def _granted(spec: FeatureExtractionSpec, most_executors: int | None) -> FeatureExtractionSpec:
    """The spec with no more dynamic executors than were granted."""
    if most_executors is None or spec.execution.max_executors is None:
        return spec
    execution = spec.execution.model_copy(update={"max_executors": most_executors})
    return spec.model_copy(update={"execution": execution})


_TOKEN: Manifest = {
    "name": contract.TOKEN,
    "projected": {
        "defaultMode": FILE_MODE,
        "sources": [
            # Without an audience it is for the API server itself, whatever that is called here.
            {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": contract.TOKEN}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
        ],
    },
}

POD_SECURITY: Manifest = {
    "runAsNonRoot": True,
    "runAsUser": contract.USER,
    "runAsGroup": contract.USER,
    "fsGroup": contract.USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}

CONTAINER_SECURITY: Manifest = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def _metadata(resource: FeatureExtraction, attempt: int, name: str, role: str) -> Manifest:
    owner = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": resource.name,
        "uid": resource.metadata["uid"],
        "controller": True,
    }
    return {
        "name": name,
        "namespace": resource.metadata["namespace"],
        "labels": labels(resource, attempt, role),
        "ownerReferences": [owner],
    }


def _owner(resource: FeatureExtraction) -> Owner:
    return owner_from({"metadata": resource.metadata})


def _pool(spec: FeatureExtractionSpec, described: NodePool | None) -> NodePool | None:
    """The node pool of a run: as the platform team describes it, or else by its label."""
    name = spec.execution.node_pool
    return described or (labelled(name) if name else None)


def pulling(secrets: tuple[str, ...]) -> Manifest:
    """The Secrets that pull a pod's image. Executors don't run as an account that could have them."""
    return {"imagePullSecrets": [{"name": name} for name in secrets]} if secrets else {}


def _placement(spec: FeatureExtractionSpec) -> Manifest:
    """The pod settings that driver and executors share, whatever their nodes."""
    common: Manifest = {
        "enableServiceLinks": False,
        "securityContext": POD_SECURITY,
    }
    if spec.priority_class_name:
        common["priorityClassName"] = spec.priority_class_name
    return common


def _volumes(resource: FeatureExtraction, attempt: int) -> tuple[list[Manifest], list[Manifest]]:
    """The volumes and mounts of driver and executors: Secrets as files, claims, and scratch space."""
    spec = resource.spec
    own = authentication_name(_owner(resource), attempt)
    volumes: list[Manifest] = [
        {"name": "tmp", "emptyDir": {}},
        {"name": "work", "emptyDir": {}},
        {"name": contract.AUTHENTICATION, "secret": {"secretName": own, "defaultMode": FILE_MODE}},
    ]
    mounts: list[Manifest] = [
        {"name": "tmp", "mountPath": contract.TEMPORARY_FOLDER},
        {"name": "work", "mountPath": contract.WORK_FOLDER},
        {"name": contract.AUTHENTICATION, "mountPath": contract.AUTHENTICATION_FOLDER, "readOnly": True},
    ]
    written = {claim for claim in spec.claim_names() if spec.output.uri.startswith(f"claim://{claim}/")}
    more_volumes, more_mounts = store_volumes(spec.secret_names(), spec.claim_names(), written)
    return [*volumes, *more_volumes], [*mounts, *more_mounts]


def store_volumes(
    secrets: Sequence[str], claims: Sequence[str], written: Collection[str] = ()
) -> tuple[list[Manifest], list[Manifest]]:
    """The volumes and mounts of Secrets and claims; only claims that are written are mounted to be."""
    volumes: list[Manifest] = []
    mounts: list[Manifest] = []
    for index, secret in enumerate(secrets):
        volumes.append({"name": f"secret-{index}", "secret": {"secretName": secret, "defaultMode": FILE_MODE}})
        mounts.append({"name": f"secret-{index}", "mountPath": f"{contract.SECRETS_FOLDER}/{secret}", "readOnly": True})
    for index, claim in enumerate(claims):
        volumes.append({"name": f"claim-{index}", "persistentVolumeClaim": {"claimName": claim}})
        path = f"{contract.CLAIMS_FOLDER}/{claim}"
        mounts.append({"name": f"claim-{index}", "mountPath": path, "readOnly": claim not in written})
    return volumes, mounts


def execution_of(resource: FeatureExtraction) -> Execution:
    """What an attempt may use: the spec's, with more memory for the driver if an attempt ran out of it."""
    memory, execution = _raised(resource), resource.spec.execution
    raised = _times(execution.driver_memory, memory.driver_percent)
    return execution.model_copy(update={"driver_memory": raised})


def executor_percent(resource: FeatureExtraction) -> int | None:
    """The memory of an executor in percent of what it gets otherwise, or None for 100."""
    percent = _raised(resource).executor_percent
    return percent if percent > 100 else None


def _raised(resource: FeatureExtraction) -> RaisedMemory:
    return (resource.status.memory if resource.status else None) or RaisedMemory()


def _times(memory: str, percent: int) -> str:
    """A size of memory, raised, in the form that the spec allows."""
    if percent == 100:
        return memory
    mebibytes = int(memory[:-2]) * (1024 if memory.endswith("Gi") else 1) * percent // 100
    return f"{mebibytes}Mi" if mebibytes < 1_000_000 else f"{min(mebibytes // 1024, 999)}Gi"


def _field(name: str, path: str) -> Manifest:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
