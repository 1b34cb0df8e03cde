"""The pod that checks a model: it reads files which may be anything, so it has no token, and nothing that it needs not.

It satisfies Pod Security `restricted`, runs as the account of runs, and mounts Secrets and claims to read only.
"""

from __future__ import annotations

import json

from featx_api import API_VERSION, contract
from featx_api.nets import NamedNet
from featx_api.vision_model import FEATX_MODEL, MODEL_ROLE, VisionModelSpec

from featx_operator.allowed import Allowed
from featx_operator.manifests import CONTAINER_SECURITY, POD_SECURITY, Manifest, pulling, store_volumes
from featx_operator.objects import Owner
from featx_operator.settings import Settings
from featx_operator.state.models import kind_of

ACCOUNT = "featx-job"
DISK = "5Gi"  # two copies of the largest model
GRACE_SECONDS = 5


def pod_name(name: str, generation: int) -> str:
    """The name of the pod that checks a generation of a model."""
    return f"{name}-{generation}-{MODEL_ROLE}"


def namespace_of(owner: Owner, settings: Settings) -> str:
    """Where a model is checked: in its own namespace; those of the cluster in the one that the settings name."""
    return owner.key.namespace or settings.cluster_models


def model_pod(owner: Owner, generation: int, spec: VisionModelSpec, allowed: Allowed, settings: Settings) -> Manifest:
    """The pod that checks a generation of a model.

    Args:
        owner: The model.
        generation: Of its spec.
        spec: What it says.
        allowed: What its namespace may choose.
        settings: The operator's.
    """
    net = NamedNet(model=spec.model, input=spec.input, layer=spec.layer)
    volumes, mounts = store_volumes(spec.secret_names(), spec.claim_names())
    accounts, namespace = allowed.service_accounts, namespace_of(owner, settings)
    checks = settings.allowed.model_checks_in(namespace)
    pool = settings.allowed.pool(checks.node_pool or None)
    name = pod_name(owner.key.name, generation)
    container = {
        "name": MODEL_ROLE,
        "image": settings.job_image,
        "command": ["python3", "-m", "featx_job.check_model"],
        "env": [{"name": FEATX_MODEL, "value": _literal(json.dumps(net.to_wire(), ensure_ascii=False))}],
        "resources": {
            "requests": {"cpu": checks.cpu, "memory": checks.memory},
            "limits": {"cpu": checks.cpu_limit, "memory": checks.memory},
        },
        "securityContext": CONTAINER_SECURITY | {"readOnlyRootFilesystem": True},
        "volumeMounts": [
            {"name": "tmp", "mountPath": contract.TEMPORARY_FOLDER},
            {"name": "work", "mountPath": contract.WORK_FOLDER},
            *mounts,
        ],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {
                "app.kubernetes.io/managed-by": "featx",
                contract.LABEL_NAME: owner.key.name,
                contract.LABEL_UID: owner.uid,
                contract.LABEL_ROLE: MODEL_ROLE,
            },
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": kind_of(owner.key),
                    "name": owner.key.name,
                    "uid": owner.uid,
                    "controller": True,
                }
            ],
        },
        "spec": {
            **pulling(settings.image_pull_secrets),
            **(pool.driver_placement() if pool else {}),
            **({"priorityClassName": checks.priority_class_name} if checks.priority_class_name else {}),
            "serviceAccountName": ACCOUNT if ACCOUNT in accounts or not accounts else accounts[0],
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": settings.model_seconds,
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "securityContext": POD_SECURITY,
            "containers": [container],
            "volumes": [
                {"name": "tmp", "emptyDir": {"sizeLimit": DISK}},
                {"name": "work", "emptyDir": {"sizeLimit": DISK}},
                *volumes,
            ],
        },
    }


def _literal(text: str) -> str:
    """A variable's value that the kubelet takes as it is: it would put other variables in place of $(NAME)."""
    return text.replace("$", "$$")
