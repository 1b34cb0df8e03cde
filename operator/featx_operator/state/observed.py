"""What is known of one run's pods, cut down to what decisions need.

Watches deliver whole pods; thousands of executors would fill the operator's memory with what nobody reads.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from featx_api.contract import DRIVER, EXECUTOR, LABEL_ATTEMPT, LABEL_ROLE, PROGRESS_ANNOTATION
from featx_api.status import Progress
from pydantic import ValidationError

logger = logging.getLogger(__name__)

EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Waiting:
    """Why a pod is not running yet, in the cluster's words.

    Attributes:
        at: when it was last found so, if that is known.
    """

    reason: str
    message: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class Exit:
    """How a pod's container ended."""

    code: int
    reason: str = ""
    message: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class Pod:
    """A driver or executor pod.

    Attributes:
        disruption: why the cluster ended it (Evicted, DeletionByTaintManager, PreemptionByScheduler …), or empty.
        progress: what the driver last reported, or None.
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
    waiting: Waiting | None = None
    exit: Exit | None = None
    disruption: str = ""
    message: str = ""
    progress: Progress | None = None

    @property
    def ended(self) -> bool:
        """Tells whether nothing of it runs any more, nor ever will."""
        return self.phase in ("Succeeded", "Failed")


@dataclass(frozen=True)
class Refusal:
    """The API server's final word on a create: repeating it at once would be useless."""

    reason: str
    message: str


@dataclass(frozen=True)
class Observed:
    """All that is known of one run's children.

    Attributes:
        pods: drivers and executors of all attempts that exist. A current driver that is not among them does not exist:
            the reconcile has asked the API server itself.
        config_maps: names of its ConfigMaps.
        refusal: why the current attempt's children could not be created just now.
        mount_problem: why the current driver's volumes can't be mounted; it stands in Events only.
    """

    pods: tuple[Pod, ...] = ()
    config_maps: frozenset[str] = field(default_factory=frozenset)
    refusal: Refusal | None = None
    mount_problem: Waiting | None = None

    def driver(self, attempt: int) -> Pod | None:
        """Returns an attempt's driver pod."""
        return next((pod for pod in self.drivers() if pod.attempt == attempt), None)

    def drivers(self) -> list[Pod]:
        """Returns the driver pods of all attempts."""
        return [pod for pod in self.pods if pod.role == DRIVER]

    def executors(self, attempt: int) -> list[Pod]:
        """Returns an attempt's executor pods that have not ended and are not being deleted."""
        return [
            pod
            for pod in self.pods
            if pod.role == EXECUTOR and pod.attempt == attempt and not pod.ended and not pod.deleting
        ]

    def alive(self) -> list[Pod]:
        """Returns all pods that may still do something, those being deleted among them."""
        return [pod for pod in self.pods if not pod.ended]


def time_of(text: str | None) -> datetime | None:
    """Parses a Kubernetes time."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


def pod_from(body: Mapping[str, Any]) -> Pod:
    """Returns what matters of a pod as the API server sends it."""
    metadata, status = body["metadata"], body.get("status") or {}
    labels = metadata.get("labels") or {}
    conditions = {item["type"]: item for item in status.get("conditions") or ()}
    containers = status.get("containerStatuses") or ()
    state = (containers[0].get("state") or {}) if containers else {}
    return Pod(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        attempt=int(labels.get(LABEL_ATTEMPT) or 0),
        role=labels.get(LABEL_ROLE, ""),
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
    """Parses the progress annotation of a driver; None if it has none, or one that can't be parsed."""
    if not annotation:
        return None
    try:
        return Progress.model_validate_json(annotation)
    except ValidationError as error:
        logger.warning("progress of %s can't be read: %s", driver, error.errors()[0]["msg"])
        return None


def _waiting(scheduled: Mapping[str, Any], waiting: Mapping[str, Any] | None) -> Waiting | None:
    if scheduled.get("status") == "False":
        return Waiting(scheduled.get("reason", "Unschedulable"), scheduled.get("message", ""))
    return Waiting(waiting.get("reason", ""), waiting.get("message", "")) if waiting else None


def _exit(terminated: Mapping[str, Any] | None) -> Exit | None:
    if terminated is None:
        return None
    return Exit(
        int(terminated.get("exitCode", 0)),
        terminated.get("reason", ""),
        terminated.get("message", ""),
        time_of(terminated.get("finishedAt")),
    )
