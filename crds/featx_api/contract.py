"""Everything the operator and a driver must agree on, written once.

The operator passes a job file in a ConfigMap. The driver reports progress as an annotation of its own pod, and the
outcome as its container's termination message, which the kubelet stores after the process is gone. The files that
cannot import Python (Dockerfile, executor.sh, the charts, the scripted driver of the end-to-end tests) repeat some of
these values; tests/unit/api/test_contract.py compares them.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, Literal

from pydantic import Field

from featx_api.model import ApiModel, StatusModel
from featx_api.spec import FeatureExtractionSpec
from featx_api.status import Failure, OutputTable, Progress

#: Annotation of the driver pod: the run's `Progress` as JSON.
PROGRESS_ANNOTATION: Final = "featx.dev/progress"
#: Annotation of the driver pod: digests of the fields that the attempt was created with (`featx_operator.applied`).
APPLIED_ANNOTATION: Final = "featx.dev/applied"
#: Label of a run's children: name of the resource.
LABEL_NAME: Final = "featx.dev/name"
#: Label of a run's children: uid of the resource, which tells two runs of the same name apart.
LABEL_UID: Final = "featx.dev/uid"
#: Label of a run's children: number of the attempt.
LABEL_ATTEMPT: Final = "featx.dev/attempt"
#: Label of a run's children: `DRIVER`, `EXECUTOR` or `JOB`.
LABEL_ROLE: Final = "featx.dev/role"
#: Label of a Secret, with the value `true`: runs may use it, because its owner says so.
STORE_LABEL: Final = "featx.dev/store"
#: Label of nodes that `spec.execution.nodePool` selects by.
NODE_POOL_LABEL: Final = "featx.dev/node-pool"

#: Role of a driver pod, and the name of its container.
DRIVER: Final = "driver"
#: Role of an executor pod, and the name of the container that Spark completes in the pod template.
EXECUTOR: Final = "executor"
#: Role of the ConfigMap with an attempt's files, and the name of its volume.
JOB: Final = "job"
#: Role of the Secret by which driver and executors recognize each other, and the name of its volume.
AUTHENTICATION: Final = "authentication"
#: Name of the volume with the driver's token for the API server, and of its file. Executors get none.
TOKEN: Final = "token"  # noqa: S105 - the name of a volume

#: Key of the ConfigMap: the `JobSpec` as JSON.
JOB_KEY: Final = "job.json"
#: Key of the ConfigMap: the pod template that Spark creates executors from.
EXECUTOR_POD_KEY: Final = "executor-pod.yaml"
#: Key of the Secret with role `AUTHENTICATION`: 256 random bits in hexadecimal.
AUTHENTICATION_KEY: Final = "secret"

#: Where the ConfigMap is mounted in the driver.
JOB_FOLDER: Final = "/etc/featx/job"
#: The job file as the driver sees it.
JOB_FILE: Final = f"{JOB_FOLDER}/{JOB_KEY}"
#: The executors' pod template as the driver sees it.
EXECUTOR_POD_FILE: Final = f"{JOB_FOLDER}/{EXECUTOR_POD_KEY}"
#: Mount folder of the Secret with role `AUTHENTICATION` in driver and executors.
AUTHENTICATION_FOLDER: Final = "/etc/featx/authentication"
#: The key that driver and executors share, as both see it (`spark.authenticate.secret.file`).
AUTHENTICATION_FILE: Final = f"{AUTHENTICATION_FOLDER}/{AUTHENTICATION_KEY}"
#: Where Kubernetes clients look for a pod's token, namespace and CA; only the driver has it.
TOKEN_FOLDER: Final = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a mount path
#: Mount folder of Secrets in driver and executors, one subdirectory per Secret.
SECRETS_FOLDER: Final = "/etc/featx/secrets"
#: Mount folder of PersistentVolumeClaims in driver and executors, one subdirectory per claim.
CLAIMS_FOLDER: Final = "/mnt/featx/claims"
#: Writable folder of driver and executors for files of one attempt.
WORK_FOLDER: Final = "/var/featx"
#: Writable folder of driver and executors for whatever libraries leave there.
TEMPORARY_FOLDER: Final = "/tmp"  # noqa: S108 - a mount path
#: Where the kubelet reads a container's termination message (the default of `terminationMessagePath`).
TERMINATION_MESSAGE_FILE: Final = "/dev/termination-log"
#: Bytes of a termination message that the kubelet stores.
TERMINATION_MESSAGE_LIMIT: Final = 4096

#: User and group of all processes of a run; the images create this user.
USER: Final = 10001

#: Port of Spark's UI in the driver.
SPARK_UI_PORT: Final = 4040
#: Port on which executors reach the driver's scheduler.
DRIVER_PORT: Final = 7078
#: Port on which executors fetch what the driver broadcasts.
BLOCK_PORT: Final = 7079

#: Variable of the driver: name of its pod.
POD_NAME: Final = "POD_NAME"
#: Variable of the driver: namespace of its pod.
POD_NAMESPACE: Final = "POD_NAMESPACE"
#: Variable of the driver: address of its pod, on which executors reach it.
POD_IP: Final = "POD_IP"
#: Variable of the driver: where the job file is; defaults to `JOB_FILE`.
FEATX_JOB: Final = "FEATX_JOB"
#: Variable of the driver: SHA-256 digest, in hexadecimal, of the job file that the operator wrote.
#: The driver refuses any other: whoever may change ConfigMaps can't change what a run does.
FEATX_JOB_SHA256: Final = "FEATX_JOB_SHA256"
#: Variable of the driver: the same of the executors' pod template.
FEATX_EXECUTOR_POD_SHA256: Final = "FEATX_EXECUTOR_POD_SHA256"
#: Variable of the driver: image of its executors. The operator's own setting of this name is the default image.
FEATX_JOB_IMAGE: Final = "FEATX_JOB_IMAGE"
#: Variable of the driver: where the executors' pod template is; defaults to `EXECUTOR_POD_FILE`.
FEATX_EXECUTOR_POD: Final = "FEATX_EXECUTOR_POD"
#: Variable of the driver: mount folder of Secrets; defaults to `SECRETS_FOLDER`.
FEATX_SECRETS: Final = "FEATX_SECRETS"
#: Variable of the driver: folder for files of the attempt; defaults to `WORK_FOLDER`.
FEATX_WORK: Final = "FEATX_WORK"
#: Variable of the driver: hosts that its executors may fetch images from, separated by commas; unset for none.
FEATX_URL_HOSTS: Final = "FEATX_URL_HOSTS"
#: Variable of the job image, for driver and executors: folder of Featx's jars.
FEATX_JARS: Final = "FEATX_JARS"


class ExitCode(IntEnum):
    """Exit codes of a driver. They decide on a retry only when the driver left no outcome."""

    SUCCEEDED = 0
    RETRYABLE = 1
    PERMANENT = 2


class JobSpec(ApiModel):
    """One attempt of one run."""

    name: str
    namespace: str
    uid: str
    attempt: int = Field(1, ge=1)
    spec: FeatureExtractionSpec
    #: Memory of an executor in percent of what it gets otherwise; unset for 100.
    executor_memory_percent: int | None = Field(None, ge=100, le=1000)


class Outcome(StatusModel):
    """How an attempt ended, as the driver reports it."""

    result: Literal["Succeeded", "Failed"]
    progress: Progress | None = None
    outputs: list[OutputTable] = Field(default=[], max_length=8)
    failure: Failure | None = None
    retryable: bool = Field(False, description="Whether a further attempt may succeed.")


#: Characters of a resource's uid in the names of its children.
UID_LENGTH: Final = 8


def executor_prefix(name: str, uid: str, attempt: int) -> str:
    """The start of the names of an attempt's executors; Spark appends `-exec-` and a number.

    Two runs whose names begin alike differ by their uids. With at most 47 characters and no dot, every pod's name is a
    host name too, as Spark makes it one; charts/featx/templates/policy-executors.yaml repeats this.

    Args:
        name: The resource's name.
        uid: The resource's uid.
        attempt: The number of the attempt.
    """
    return f"{name[:27].replace('.', '-')}-{uid[:UID_LENGTH]}-{attempt}"
