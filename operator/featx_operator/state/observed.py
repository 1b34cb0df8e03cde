"""The pods of one run, reduced to what decisions need.

Watches deliver whole pods; those of thousands of executors would fill the operator's memory.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from featx_api.contract import DRIVER, EXECUTOR, LABEL_ATTEMPT, LABEL_ROLE, PROGRESS_ANNOTATION
from featx_api.status import Progress
from pydantic import ValidationError

from featx_operator.objects import Body

logger = logging.getLogger(__name__)

EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class PodWaiting:
    """Why a pod is not running yet, as reported by the cluster.

    Attributes:
        reason: CamelCase, from the scheduler or the kubelet.
        message: Details, or empty.
        at: When the cluster last reported it, if known.
    """

    reason: str
    message: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class Exit:
    """How a pod's container exited."""

    code: int
    reason: str = ""
    message: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class Pod:
    """A driver or executor pod.

    Attributes:
        disruption: Why the cluster terminated it (Evicted, DeletionByTaintManager, PreemptionByScheduler …), or empty.
        progress: What the driver last reported, or None.
    """

    name: str
    uid: str
    attempt: int
    role: str
    version: int = 0
    phase: Literal["Pending", "Running", "Succeeded", "Failed", "Unknown"] = "Pending"
    created: datetime = EPOCH
    deleting: bool = False
    scheduled: bool = False
    ready: bool = False
    address: str = ""
    waiting: PodWaiting | None = None
    exit: Exit | None = None
    disruption: str = ""
    message: str = ""
    progress: Progress | None = None

    @property
    def ended(self) -> bool:
        """Whether all of its containers have exited for good."""
        return self.phase in ("Succeeded", "Failed")


@dataclass(frozen=True)
class Refusal:
    """Why the API server refused a create; retrying at once would not help."""

    reason: str
    message: str


@dataclass(frozen=True)
class Observed:
    """The children of one run.

    Attributes:
        pods: Existing drivers and executors of all attempts. If the current driver is missing here, it does not exist:
            the reconciler has checked with the API server.
        config_maps: Names of its ConfigMaps.
        refusal: Why the current attempt's children could not be created in this reconcile.
        mount_failure: Why the current driver's volumes can't be mounted; only Events report it.
    """

    pods: tuple[Pod, ...] = ()
    config_maps: frozenset[str] = field(default_factory=frozenset)
    refusal: Refusal | None = None
    mount_failure: PodWaiting | None = None

    def driver(self, attempt: int) -> Pod | None:
        """The driver pod of an attempt, or None."""
        return next((pod for pod in self.drivers() if pod.attempt == attempt), None)

    def drivers(self) -> list[Pod]:
        """The driver pods of all attempts."""
        return [pod for pod in self.pods if pod.role == DRIVER]

    def executors(self, attempt: int) -> list[Pod]:
        """The executor pods of an attempt that have not ended and are not being deleted."""
        return [
            pod
            for pod in self.pods
            if pod.role == EXECUTOR and pod.attempt == attempt and not pod.ended and not pod.deleting
        ]

    def alive(self) -> list[Pod]:
        """All pods that have not ended, including those being deleted."""
        return [pod for pod in self.pods if not pod.ended]


def time_of(text: str | None) -> datetime | None:
    """Parses a Kubernetes timestamp."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


def pod_from(body: Body) -> Pod:
    """Reduces a pod, as the API server sends it, to what decisions need."""
    metadata, status = body["metadata"], body.get("status") or {}
    labels = metadata.get("labels") or {}
    conditions = {item["type"]: item for item in status.get("conditions") or ()}
    role, attempt = labels.get(LABEL_ROLE, ""), labels.get(LABEL_ATTEMPT, "")
    state = _state_of(role, status.get("containerStatuses") or ())
    return Pod(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        attempt=int(attempt) if attempt.isdecimal() else 0,
        role=role,
        version=int(metadata.get("resourceVersion") or 0),
        phase=status.get("phase", "Pending"),
        created=time_of(metadata.get("creationTimestamp")) or EPOCH,
        deleting=bool(metadata.get("deletionTimestamp")),
        scheduled=conditions.get("PodScheduled", {}).get("status") == "True",
        ready=conditions.get("Ready", {}).get("status") == "True",
        address=status.get("podIP", ""),
        waiting=_waiting(conditions.get("PodScheduled", {}), state.get("waiting")),
        exit=_exit(state.get("terminated")),
        disruption=conditions.get("DisruptionTarget", {}).get("reason", "") or status.get("reason", ""),
        message=conditions.get("DisruptionTarget", {}).get("message", "") or status.get("message", ""),
        progress=progress_from(metadata["name"], (metadata.get("annotations") or {}).get(PROGRESS_ANNOTATION, "")),
    )


def progress_from(driver: str, annotation: str) -> Progress | None:
    """The progress in a driver's annotation, or None if there is none or it is malformed."""
    if not annotation:
        return None
    try:
        return Progress.model_validate_json(annotation)
    except ValidationError as error:
        logger.warning("%s reports malformed progress: %s", driver, error.errors()[0]["msg"])
        return None


def _state_of(role: str, containers: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The state of the container named after the pod's role; a service mesh may have added others."""
    container = next((item for item in containers if item["name"] == role), None)
    return (container.get("state") or {}) if container else {}


def _waiting(scheduled: Mapping[str, Any], waiting: Mapping[str, Any] | None) -> PodWaiting | None:
    if scheduled.get("status") == "False":
        return PodWaiting(scheduled.get("reason", "Unschedulable"), scheduled.get("message", ""))
    return PodWaiting(waiting.get("reason", ""), waiting.get("message", "")) if waiting else None


def _exit(terminated: Mapping[str, Any] | None) -> Exit | None:
    if terminated is None:
        return None
    return Exit(
        int(terminated.get("exitCode", 0)),
        terminated.get("reason", ""),
        terminated.get("message", ""),
        time_of(terminated.get("finishedAt")),
    )
