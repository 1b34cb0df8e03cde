"""What the first column of `kubectl get fx` shows: the one registry of a run's states, for operator and docs.

docs/reference/states.md is generated from here (`make generate`). A run that has failed shows `Failed:` and the class
of its failure (`featx_api.failures`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

#: Before the class of a run's failure, as kubectl writes `Init:Error`.
FAILED: Final = "Failed:"


class RunState(StrEnum):
    """What a run is doing, or waiting for.

    Attributes:
        meaning: What the operator has seen, in one sentence.
        advice: What to do, in one sentence.
    """

    meaning: str
    advice: str

    def __new__(cls, label: str, meaning: str, advice: str) -> RunState:
        """Create a member whose value is its label."""
        member = str.__new__(cls, label)
        member._value_ = label
        member.meaning, member.advice = meaning, advice
        return member

    WAITING_FOR_OPERATOR = (
        "WaitingForOperator",
        "No operator has seen the resource yet.",
        "If it stays: check that the operator runs, and that the chart's `namespaces` include this one.",
    )
    PENDING = "Pending", "The driver pod is about to be created, or has just been.", "Wait a moment."
    STARTING = "Starting", "The driver pod is on a node; the kubelet prepares its volumes and image.", "Wait a moment."
    RUNNING = "Running", "The driver runs, and so do executors if there is work for them.", "Nothing."
    EXECUTORS_PENDING = (
        "ExecutorsPending",
        "The driver runs, but no executor is ready.",
        "Read the message, which has the scheduler's or kubelet's words; add nodes or raise the quota.",
    )
    CALIBRATING = "Calibrating", "An executor observes the models on images, for `spec.precision: int8`.", "Wait."
    STORE_UNREACHABLE = (
        "StoreUnreachable",
        "Driver or executors wait for a store that does not respond, up to `spec.execution.storeTimeoutSeconds`.",
        "Check the endpoint in the message, and the network; the run continues by itself.",
    )
    UNSCHEDULABLE = (
        "Unschedulable",
        "No node fits the driver pod; the message has the scheduler's words and the time until which the run waits.",
        "Add nodes, correct `spec.execution.nodePool`, or lower `spec.execution.driverMemory`.",
    )
    IMAGE_UNAVAILABLE = (
        "ImageUnavailable",
        "The kubelet can't pull the job image; the message has its words and the time until which the run waits.",
        "Correct `spec.execution.image`, or the pull secrets of the service account.",
    )
    SECRET_NOT_FOUND = (
        "SecretNotFound",
        "A Secret that the run names does not exist.",
        "Create it with the label `featx.dev/store=true` within seconds, or afterwards raise `spec.retry`.",
    )
    CLAIM_NOT_FOUND = (
        "ClaimNotFound",
        "A PersistentVolumeClaim of the run does not exist; the message has the time until which the run waits.",
        "Create it, or correct its name in a new resource.",
    )
    CONTAINER_CONFIG_ERROR = (
        "ContainerConfigError",
        "The kubelet can't create or start the driver's container.",
        "Correct what the kubelet reports in the message.",
    )
    QUOTA_EXCEEDED = (
        "QuotaExceeded",
        "A ResourceQuota has no room for the run's pods.",
        "Wait for other runs, or ask for a larger quota.",
    )
    QUEUED = (
        "Queued",
        "Other runs are before it in the queue for quota, or Kueue has not admitted it yet.",
        "Wait for its turn.",
    )
    QUOTA_TOO_SMALL = (
        "QuotaTooSmall",
        "The run asks for more than a ResourceQuota will ever have.",
        "Ask for less in `spec.execution`, or ask the platform team for a larger quota.",
    )
    LIMIT_RANGE_VIOLATED = (
        "LimitRangeViolated",
        "A LimitRange does not admit the run's pods.",
        "Change the field in the message.",
    )
    CPU_LIMIT_REQUIRED = (
        "CpuLimitRequired",
        "A ResourceQuota counts CPU limits, and the run's pods have none.",
        "Set `spec.execution.cpuLimits` to true.",
    )
    EVICTED = (
        "Evicted",
        "Kueue has taken the run's quota back; its pods are being stopped, and it queues again.",
        "Wait: what was done is kept.",
    )
    DEACTIVATED = (
        "Deactivated",
        "The run's Workload is not active.",
        "Activate the Workload that the message names, or delete it to queue the run again.",
    )
    QUEUEING_OFF = (
        "QueueingOff",
        "The run names a queue of Kueue, but the operator does not use Kueue.",
        "Remove the label `kueue.x-k8s.io/queue-name`, or ask the platform team to set `kueue.enabled`.",
    )
    QUEUE_NEEDS_MEMORY = (
        "QueueNeedsMemory",
        "Kueue reserves the executors' memory before the models are read.",
        "Set `spec.execution.memory`.",
    )
    WORKLOAD_REFUSED = (
        "WorkloadRefused",
        "The API server refuses the run's Workload.",
        "Correct what the API server says in the message.",
    )
    KUEUE_UNAVAILABLE = "KueueUnavailable", "Kueue does not respond; the run keeps trying.", "Check that Kueue runs."
    PLACEMENT_CONFLICT = (
        "PlacementConflict",
        "Kueue's admission places pods where the run's own fields do not let them be.",
        "Correct the field in the message, or the ResourceFlavor.",
    )
    MODEL_NOT_READY = (
        "ModelNotReady",
        "A model that `modelRef` names does not exist, is being checked, or has failed its check.",
        "Read the message; the run starts once the model is `Ready`.",
    )
    PREVIOUS_RUN_TERMINATING = (
        "PreviousRunTerminating",
        "Objects of a deleted run of the same name still exist.",
        "Wait until they are gone.",
    )
    SECRET_NOT_ALLOWED = (
        "SecretNotAllowed",
        "The owner of a Secret has not labelled it for runs.",
        "Run the command in the message, or have its owner do so.",
    )
    NAME_TAKEN = (
        "NameTaken",
        "Another object has the name of the driver pod, the ConfigMap or the Secret.",
        "Delete it, or rename the resource.",
    )
    DRIVER_REFUSED = (
        "DriverRefused",
        "The API server refuses the driver pod: admission, LimitRange, service account or RBAC.",
        "Correct what the API server says in the message.",
    )
    NOT_ALLOWED = (
        "NotAllowed",
        "The run chooses what its namespace may not.",
        "Change the field in the message, or ask the platform team.",
    )
    SPEC_INVALID = (
        "SpecInvalid",
        "The operator rejects what the API server accepted: CRD and operator differ in age.",
        "Upgrade the older one of the two.",
    )
    INTERNAL_ERROR = (
        "InternalError",
        "The operator fails on this resource, and keeps retrying.",
        "Read the operator's log, and report it.",
    )
    BACKING_OFF = (
        "BackingOff",
        "An attempt failed or was disrupted; the next one starts at `status.nextAttemptTime`.",
        "Read `status.failure`; raise `spec.retry` to start the next attempt at once.",
    )
    RETRYING = "Retrying", "A run that had failed starts again, since `spec.retry` was raised.", "Wait a moment."
    TERMINATING = "Terminating", "The driver pod is being deleted; the next attempt starts once it is gone.", "Wait."
    SUSPENDING = "Suspending", "The run's pods are being stopped.", "Wait."
    SUSPENDED = "Suspended", "All pods are stopped.", "Set `spec.suspend` to false to resume."
    RESUMED = "Resumed", "The next attempt of a suspended run is about to start.", "Wait a moment."
    SUCCEEDED = "Succeeded", "The table is complete.", "Nothing."
    CANCELLED = (
        "Cancelled",
        "`spec.cancel` has ended the run; what was done is kept.",
        "Set `spec.cancel` to false and raise `spec.retry` to continue it.",
    )
