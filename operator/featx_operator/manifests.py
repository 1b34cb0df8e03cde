"""The manifests of an attempt: the driver pod, and a ConfigMap with the job file and the executors' pod template. Pure.

Names are deterministic, so a second create fails and the existing object is adopted. Every pod satisfies Pod Security
`restricted`.
"""

from __future__ import annotations

import json
from typing import Any

import yaml
from featx_api import API_VERSION, KIND, contract
from featx_api.contract import JobSpec
from featx_api.resource import FeatureExtraction
from featx_api.spec import FeatureExtractionSpec

Manifest = dict[str, Any]

DRIVER_CPU = "250m"  # it waits for executors most of the time; no limit, so that listing a bucket is not slowed down
GRACE_SECONDS = 30  # for the driver to end its executors


def driver_name(name: str, attempt: int) -> str:
    """The name of an attempt's driver pod."""
    return f"{name}-{attempt}-driver"


def config_map_name(name: str, attempt: int) -> str:
    """The name of an attempt's ConfigMap."""
    return f"{name}-{attempt}-job"


def labels(resource: FeatureExtraction, attempt: int, role: str) -> dict[str, str]:
    """The labels that identify a run's children."""
    return {
        "app.kubernetes.io/managed-by": "featx",
        contract.LABEL_NAME: resource.name,
        contract.LABEL_UID: str(resource.metadata["uid"]),
        contract.LABEL_ATTEMPT: str(attempt),
        contract.LABEL_ROLE: role,
    }


def config_map(resource: FeatureExtraction, attempt: int) -> Manifest:
    """The ConfigMap that an attempt's driver reads."""
    job = JobSpec(
        name=resource.name,
        namespace=resource.metadata["namespace"],
        uid=resource.metadata["uid"],
        attempt=attempt,
        spec=resource.spec,
    )
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(resource, attempt, config_map_name(resource.name, attempt), contract.JOB),
        "immutable": True,
        "data": {
            contract.JOB_KEY: json.dumps(job.to_wire(), indent=2, ensure_ascii=False),
            contract.EXECUTOR_POD_KEY: yaml.safe_dump(executor_template(resource, attempt), sort_keys=False),
        },
    }


def driver_pod(resource: FeatureExtraction, attempt: int, default_image: str) -> Manifest:
    """The driver pod of an attempt."""
    spec = resource.spec
    image = spec.execution.image or default_image
    volumes, mounts = _volumes(spec)
    job = {"name": contract.JOB, "configMap": {"name": config_map_name(resource.name, attempt)}}
    environment = [
        {"name": contract.FEATX_JOB, "value": contract.JOB_FILE},
        {"name": contract.FEATX_EXECUTOR_POD, "value": contract.EXECUTOR_POD_FILE},
        {"name": contract.FEATX_JOB_IMAGE, "value": image},
        _field(contract.POD_NAME, "metadata.name"),
        _field(contract.POD_NAMESPACE, "metadata.namespace"),
        _field(contract.POD_IP, "status.podIP"),
    ]
    container = {
        "name": contract.DRIVER,
        "image": image,
        "command": ["python3", "-m", "featx_job"],
        "env": environment,
        "ports": [{"name": "ui", "containerPort": contract.SPARK_UI_PORT}],
        "resources": {
            "requests": {"cpu": DRIVER_CPU, "memory": spec.execution.driver_memory},
            "limits": {"memory": spec.execution.driver_memory},
        },
        "securityContext": _CONTAINER_SECURITY,
        "volumeMounts": [{"name": contract.JOB, "mountPath": contract.JOB_FOLDER, "readOnly": True}, *mounts],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(resource, attempt, driver_name(resource.name, attempt), contract.DRIVER),
        "spec": {
            **_placement(spec),
            "serviceAccountName": spec.execution.service_account_name,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "containers": [container],
            "volumes": [job, *volumes],
        },
    }


def executor_template(resource: FeatureExtraction, attempt: int) -> Manifest:
    """The template of executor pods; Spark adds image, resources, names and the owner."""
    volumes, mounts = _volumes(resource.spec)
    # It gets no Kubernetes token: the account is only for the cloud's own.
    account = {"serviceAccountName": resource.spec.execution.service_account_name}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"labels": labels(resource, attempt, contract.EXECUTOR)},
        "spec": {
            **_placement(resource.spec),
            "automountServiceAccountToken": False,
            **(account if resource.spec.by_pod_identity else {}),
            "containers": [{"name": contract.EXECUTOR, "securityContext": _CONTAINER_SECURITY, "volumeMounts": mounts}],
            "volumes": volumes,
        },
    }


_CONTAINER_SECURITY: Manifest = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


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


def _placement(spec: FeatureExtractionSpec) -> Manifest:
    """The pod settings that driver and executors share."""
    common: Manifest = {
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": contract.USER,
            "runAsGroup": contract.USER,
            "fsGroup": contract.USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    if spec.execution.node_pool:
        common["nodeSelector"] = {contract.NODE_POOL_LABEL: spec.execution.node_pool}
    if spec.priority_class_name:
        common["priorityClassName"] = spec.priority_class_name
    return common


def _volumes(spec: FeatureExtractionSpec) -> tuple[list[Manifest], list[Manifest]]:
    """The volumes and mounts of driver and executors: Secrets as files, claims, and scratch space."""
    volumes: list[Manifest] = [{"name": "tmp", "emptyDir": {}}, {"name": "work", "emptyDir": {}}]
    mounts: list[Manifest] = [
        {"name": "tmp", "mountPath": contract.TEMPORARY_FOLDER},
        {"name": "work", "mountPath": contract.WORK_FOLDER},
    ]
    for index, secret in enumerate(spec.secret_names()):
        volumes.append({"name": f"secret-{index}", "secret": {"secretName": secret, "defaultMode": 0o440}})
        mounts.append({"name": f"secret-{index}", "mountPath": f"{contract.SECRETS_FOLDER}/{secret}", "readOnly": True})
    for index, claim in enumerate(spec.claim_names()):
        volumes.append({"name": f"claim-{index}", "persistentVolumeClaim": {"claimName": claim}})
        written = spec.output.uri.startswith(f"claim://{claim}/")
        mounts.append(
            {"name": f"claim-{index}", "mountPath": f"{contract.CLAIMS_FOLDER}/{claim}", "readOnly": not written}
        )
    return volumes, mounts


def _field(name: str, path: str) -> Manifest:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
