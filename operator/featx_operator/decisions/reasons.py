"""Every reason that a condition, a failure or an Event can carry. They are part of the API: scripts match on them."""

from __future__ import annotations

from typing import Final

from featx_api.failures import FailureClass

# Accepted
SPEC_VALID: Final = "SpecValid"  # the models accept it, as the API server did
SPEC_INVALID: Final = "SpecInvalid"  # the API server's CRD is older or newer than the operator

# QuotaReserved
RESERVED: Final = "Reserved"  # the driver pod was let in
QUOTA_EXCEEDED: Final = "QuotaExceeded"  # a ResourceQuota has no room; held and tried again

# DriverReady, and why an attempt waits
PENDING: Final = "Pending"  # nothing was tried yet, or the pod has not been scheduled yet
NOT_CREATED: Final = "NotCreated"
STARTING: Final = "Starting"  # on a node; images and volumes are being made ready
RUNNING: Final = "Running"
BACKING_OFF: Final = "BackingOff"  # the last attempt failed; the next one begins at status.nextAttemptTime
UNSCHEDULABLE: Final = FailureClass.UNSCHEDULABLE  # no node fits
IMAGE_UNAVAILABLE: Final = FailureClass.IMAGE_UNAVAILABLE  # the kubelet can't pull it
SECRET_NOT_FOUND: Final = FailureClass.SECRET_NOT_FOUND
CLAIM_NOT_FOUND: Final = FailureClass.CLAIM_NOT_FOUND
CONTAINER_CONFIG: Final = (
    FailureClass.CONTAINER_CONFIG_ERROR
)  # the kubelet can't make the container from the pod's spec
NAME_TAKEN: Final = "NameTaken"  # something that is not this run's has the name of its driver or ConfigMap
PREVIOUS_RUN: Final = "PreviousRunTerminating"  # a deleted run of the same name is still being collected
DRIVER_REFUSED: Final = "DriverRefused"  # the API server won't take the pod: admission, service account, RBAC
TERMINATING: Final = "Terminating"  # the driver is being deleted and has not ended yet

# ExecutorsReady
DRIVER_NOT_READY: Final = "DriverNotReady"
ALL_READY: Final = "AllReady"
WAITING: Final = "Waiting"

# Suspended
NOT_SUSPENDED: Final = "NotSuspended"
SUSPENDING: Final = "Suspending"  # pods are still there
SUSPENDED: Final = "Suspended"
RESUMED: Final = "Resumed"

# Succeeded; a failed run's reason is its failure class (featx_api.failures)
COMPLETED: Final = "Completed"
BACKOFF_LIMIT: Final = FailureClass.BACKOFF_LIMIT_EXCEEDED

# Reconciling, Stalled
PROGRESSING: Final = "Progressing"
FINISHED: Final = "Finished"
AS_EXPECTED: Final = "AsExpected"

# Events beyond those
ACCEPTED: Final = "Accepted"
DRIVER_CREATED: Final = "DriverCreated"
ATTEMPT_FAILED: Final = "AttemptFailed"
SUCCEEDED: Final = "Succeeded"
FAILED: Final = "Failed"
