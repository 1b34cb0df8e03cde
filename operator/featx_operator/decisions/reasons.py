"""Every reason of a condition, a failure or an Event. They are part of the API: scripts match on them."""

from __future__ import annotations

import re
from typing import Final

from featx_api.failures import FailureClass

# Accepted
SPEC_VALID: Final = "SpecValid"  # accepted by the API server and by the operator
SPEC_CHANGE_IGNORED: Final = "SpecChangeIgnored"  # accepted, but the running attempt has older values
SPEC_INVALID: Final = "SpecInvalid"  # rejected by the operator: its version and the CRD's differ
NOT_ALLOWED: Final = "NotAllowed"  # chooses what the platform team does not allow in its namespace

# QuotaReserved
RESERVED: Final = "Reserved"  # the driver pod was admitted
QUOTA_EXCEEDED: Final = "QuotaExceeded"  # a ResourceQuota has no room for all of the run; it starts once there is
QUEUED: Final = "Queued"  # others wait before it for the same ResourceQuota, or Kueue has not admitted its Workload yet
QUOTA_TOO_SMALL: Final = "QuotaTooSmall"  # the whole ResourceQuota would not be enough
LIMIT_RANGE_VIOLATED: Final = "LimitRangeViolated"  # a LimitRange does not admit the run's pods
CPU_LIMIT_REQUIRED: Final = "CpuLimitRequired"  # a ResourceQuota counts CPU limits, and the run's pods have none
EXECUTORS_NOT_STARTED: Final = FailureClass.EXECUTORS_NOT_STARTED  # the attempt has given its quota back
EVICTED: Final = "Evicted"  # Kueue has taken the quota back; the run is stopped, and queued again
DEACTIVATED: Final = "Deactivated"  # the run's Workload is not active; until it is, the run is suspended
QUEUEING_OFF: Final = "QueueingOff"  # the run names a queue, but the operator does not use Kueue
QUEUE_NEEDS_MEMORY: Final = "QueueNeedsMemory"  # quota for executors can't be reserved unless their memory is set
KUEUE_UNAVAILABLE: Final = "KueueUnavailable"  # Kueue's webhook does not respond; retried
WORKLOAD_REFUSED: Final = "WorkloadRefused"  # the API server refuses the run's Workload
PLACEMENT_CONFLICT: Final = "PlacementConflict"  # the admission places pods where they can't be

#: QuotaReserved, if a run that was accepted has no quota: each has an Event.
WITHOUT_QUOTA: Final = (QUOTA_EXCEEDED, QUEUED, EXECUTORS_NOT_STARTED, EVICTED, DEACTIVATED, PLACEMENT_CONFLICT)
#: QuotaReserved, while a run is in a queue of Kueue: its deadline does not count.
IN_QUEUE: Final = (QUEUED, EVICTED, DEACTIVATED, PLACEMENT_CONFLICT)

# DriverReady, and why an attempt has to wait
PENDING: Final = "Pending"  # nothing was created yet, or the pod is not scheduled yet
NOT_CREATED: Final = "NotCreated"
STARTING: Final = "Starting"  # on a node; its image is being pulled or its volumes mounted
RUNNING: Final = "Running"
DISRUPTED: Final = "Disrupted"  # the cluster or somebody ended the last attempt; else as BackingOff
BACKING_OFF: Final = "BackingOff"  # the last attempt failed; the next one starts at status.nextAttemptTime
UNSCHEDULABLE: Final = FailureClass.UNSCHEDULABLE  # no node satisfies its requests and constraints
IMAGE_UNAVAILABLE: Final = FailureClass.IMAGE_UNAVAILABLE  # the kubelet can't pull it
SECRET_NOT_FOUND: Final = FailureClass.SECRET_NOT_FOUND
CLAIM_NOT_FOUND: Final = FailureClass.CLAIM_NOT_FOUND
CONTAINER_CONFIG: Final = FailureClass.CONTAINER_CONFIG_ERROR
NAME_TAKEN: Final = "NameTaken"  # a foreign object has the name of the driver or ConfigMap
SECRET_NOT_ALLOWED: Final = "SecretNotAllowed"  # noqa: S105 - a reason; its owner has not labelled it for runs
PREVIOUS_RUN: Final = "PreviousRunTerminating"  # children of a deleted run of this name still exist
DRIVER_REFUSED: Final = "DriverRefused"  # the API server refuses the pod: admission, service account, RBAC
TERMINATING: Final = "Terminating"  # the driver is being deleted
MODEL_NOT_READY: Final = "ModelNotReady"  # a model that the run refers to is missing or not Ready

# ExecutorsReady
DRIVER_NOT_READY: Final = "DriverNotReady"
ALL_READY: Final = "AllReady"
WAITING: Final = "Waiting"

# Succeeded, while the driver runs
EXECUTORS_PENDING: Final = "ExecutorsPending"  # none is ready; the condition ExecutorsReady says why
CALIBRATING: Final = "Calibrating"  # the driver says so
STORE_UNREACHABLE: Final = FailureClass.STORE_UNREACHABLE  # the driver says so, and goes on waiting

# Suspended
NOT_SUSPENDED: Final = "NotSuspended"
SUSPENDING: Final = "Suspending"  # pods are still terminating
SUSPENDED: Final = "Suspended"
RESUMED: Final = "Resumed"

# Succeeded; a failed run's reason is its failure class (featx_api.failures)
COMPLETED: Final = "Completed"
RETRYING: Final = "Retrying"  # spec.retry was raised after the run had failed
CANCELLED: Final = FailureClass.CANCELLED  # by spec.cancel
BACKOFF_LIMIT: Final = FailureClass.BACKOFF_LIMIT_EXCEEDED

# Reconciling, Stalled
PROGRESSING: Final = "Progressing"
FINISHED: Final = "Finished"
AS_EXPECTED: Final = "AsExpected"
INTERNAL_ERROR: Final = "InternalError"  # the operator can't reconcile the resource, and retries

# Ready, of models; else as of drivers, or the class of the check's failure
CHECKED: Final = "Checked"
CHECKING: Final = "Checking"  # its pod reads the files
CHECK_REFUSED: Final = "CheckRefused"  # the API server refuses the pod
CHECK_FAILED: Final = "CheckFailed"  # the pod has ended without a report
CHECK_LOST: Final = "CheckLost"  # the pod was deleted, evicted, or lost with its node; repeated
OUT_OF_MEMORY: Final = FailureClass.OUT_OF_MEMORY  # the pod had too little
DEADLINE_EXCEEDED: Final = FailureClass.DEADLINE_EXCEEDED  # the pod took too long

# Ready, of schedules
SCHEDULED: Final = "Scheduled"  # waits for the next time
RUN_ACTIVE: Final = "RunActive"  # a run is due, and starts after the active one
INVALID_SCHEDULE: Final = "InvalidSchedule"  # the cron expression or the time zone has no meaning
RUN_REFUSED: Final = "RunRefused"  # the API server refuses to create the run

# Events of schedules only
RUN_STARTED: Final = "RunStarted"
RUN_FINISHED: Final = "RunFinished"
MISSED_SCHEDULE: Final = "MissedSchedule"  # later than startingDeadlineSeconds

# Events only
ACCEPTED: Final = "Accepted"
ADMITTED: Final = "Admitted"
DRIVER_CREATED: Final = "DriverCreated"
ATTEMPT_FAILED: Final = "AttemptFailed"
MEMORY_RAISED: Final = "MemoryRaised"
SUCCEEDED: Final = "Succeeded"
FAILED: Final = "Failed"


_VALID = re.compile(r"[A-Za-z]([A-Za-z0-9_,:]{0,126}[A-Za-z0-9_])?")


def valid(reason: str, default: str) -> str:
    """The reason if a condition may have it, otherwise the default: schedulers and kubelets choose their own."""
    return reason if _VALID.fullmatch(reason) else default
