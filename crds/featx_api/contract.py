"""What passes between the operator and a driver: the job file in, progress and the outcome out.

The job file is a ConfigMap; progress is an annotation that the driver puts on its own pod; the outcome is the
container's termination message, which the kubelet keeps when the process is gone.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from featx_api.model import ApiModel, StatusModel
from featx_api.spec import FeatureExtractionSpec
from featx_api.status import Failure, OutputTable, Progress

PROGRESS_ANNOTATION = "featx.dev/progress"
LABEL_NAME = "featx.dev/name"
LABEL_UID = "featx.dev/uid"
LABEL_ATTEMPT = "featx.dev/attempt"
LABEL_ROLE = "featx.dev/role"
NODE_POOL_LABEL = "featx.dev/node-pool"

JOB_FILE = "/etc/featx/job/job.json"
EXECUTOR_POD_FILE = "/etc/featx/job/executor-pod.yaml"
SECRETS_FOLDER = "/etc/featx/secrets"
CLAIMS_FOLDER = "/mnt/featx/claims"
TERMINATION_MESSAGE_LIMIT = 4096


class JobSpec(ApiModel):
    """One attempt of one run."""

    name: str
    namespace: str
    uid: str
    attempt: int = Field(1, ge=1)
    spec: FeatureExtractionSpec


class Outcome(StatusModel):
    """How an attempt ended, in the driver's own words."""

    result: Literal["Succeeded", "Failed"]
    progress: Progress | None = None
    outputs: list[OutputTable] = Field(default=[])
    failure: Failure | None = None
    retryable: bool = Field(False, description="Whether a further attempt may succeed.")
