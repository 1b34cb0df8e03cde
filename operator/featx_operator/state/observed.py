"""The pods of one run, reduced to what decisions need.

Watches deliver whole pods; those of thousands of executors would fill the operator's memory. Whoever may create pods
may give them any name, label and owner, so these only make a pod a candidate: the driver is known by its uid.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from featx_api import KIND
from featx_api.contract import (
    APPLIED_ANNOTATION,
    DRIVER,
    EXECUTOR,
    EXECUTORS_ANNOTATION,
    LABEL_ATTEMPT,
    LABEL_ROLE,
    PROGRESS_ANNOTATION,
    TERMINATION_MESSAGE_LIMIT,
    executors_from,
)
from featx_api.spec import Part
from featx_api.status import Progress
from featx_api.text import printable, shortened
from pydantic import ValidationError

from featx_operator.applied import digests_from
from featx_operator.objects import Body, Controller, claimed_owner, controller_of, driver_name
from featx_operator.state.models import NamedModel
from featx_operator.state.quotas import QuotaView
from featx_operator.state.words import EPOCH, REASON_LIMIT, TEXT_LIMIT, time_of
from featx_operator.state.workload import Flavor, Workload

logger = logging.getLogger(__name__)

PROGRESS_LIMIT = 4000  # characters of a driver's annotation
_ATTEMPT = re.compile(r"[1-9][0-9]{0,8}")


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
        owner: Uid of its controller: the resource's for a driver, the driver's for an executor.
        scheduled_at: When it got its node, if it has one.
        started: When its container started, if it did.
        disruption: Why the cluster terminated it (Evicted, DeletionByTaintManager, PreemptionByScheduler …), or empty.
        progress: What the driver last reported, or None.
        applied: Digests of the spec that the driver was created with, or None.
        executors: How many executors the driver was last asked to have, or None if their number can't change.
    """

    name: str
    uid: str
    attempt: int
    role: str
    owner: str = ""
    version: int = 0
    phase: Literal["Pending", "Running", "Succeeded", "Failed", "Unknown"] = "Pending"
    created: datetime = EPOCH
    deleting: bool = False
    scheduled: bool = False
    scheduled_at: datetime | None = None
    started: datetime | None = None
    ready: bool = False
    address: str = ""
    waiting: PodWaiting | None = None
    exit: Exit | None = None
    disruption: str = ""
    message: str = ""
    progress: Progress | None = None
    applied: Mapping[str, str] | None = None
    executors: int | None = None

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
        pods: Pods that claim to be drivers and executors of the run, of all attempts. If the current driver is missing
            here, it does not exist: the reconciler has checked with the API server.
        files: Attempts whose ConfigMap exists, and maybe their Secret.
        created: Uids of drivers that this process has created, by attempt.
        impostor: A pod of the run with the current driver's name that is not known to be that driver.
        refusal: Why the current attempt's children could not be created in this reconcile.
        mount_failure: Why the current driver's volumes can't be mounted, according to Events, which others may write.
        absent_secrets: Secrets that are reported missing, and that the API server does not have either.
        quota: What the run's admission depends on, or None if its namespace has neither quotas nor limits.
        workload: The run's Kueue Workload. If a recorded one is missing here, it does not exist.
        flavors: The ResourceFlavors that the Workload was assigned, by name; missing ones do not exist.
        models: The models that the run refers to, by the part of the spec that does; missing ones do not exist.
    """

    pods: tuple[Pod, ...] = ()
    files: frozenset[int] = field(default_factory=frozenset)
    created: Mapping[int, str] = field(default_factory=dict)
    impostor: Pod | None = None
    refusal: Refusal | None = None
    mount_failure: PodWaiting | None = None
    absent_secrets: frozenset[str] = field(default_factory=frozenset)
    quota: QuotaView | None = None
    workload: Workload | None = None
    flavors: Mapping[str, Flavor] = field(default_factory=dict)
    models: Mapping[Part, NamedModel] = field(default_factory=dict)

    def driver(self, uid: str) -> Pod | None:
        """The driver pod with this uid, or None."""
        return next((pod for pod in self.drivers() if pod.uid == uid), None)

    def drivers(self) -> list[Pod]:
        """The driver pods of all attempts."""
        return [pod for pod in self.pods if pod.role == DRIVER]

    def all_executors(self, driver: Pod) -> list[Pod]:
        """The executor pods of a driver, also those that have ended."""
        return [pod for pod in self.pods if pod.role == EXECUTOR and pod.owner == driver.uid]

    def executors(self, driver: Pod) -> list[Pod]:
        """The executor pods of a driver that have not ended and are not being deleted."""
        return [pod for pod in self.all_executors(driver) if not pod.ended and not pod.deleting]

    def alive(self) -> list[Pod]:
        """All pods that have not ended, including those being deleted."""
        return [pod for pod in self.pods if not pod.ended]


def pod_from(body: Body) -> Pod | None:
    """Reduces a pod, as the API server sends it, to what decisions need.

    Returns:
        None if its name, labels and controller are not those of a run's child.
    """
    labels = body["metadata"].get("labels") or {}
    role, attempt, controller = labels.get(LABEL_ROLE), labels.get(LABEL_ATTEMPT, ""), controller_of(body)
    if controller is None or not _ATTEMPT.fullmatch(attempt):
        return None
    run = claimed_owner(body)
    driver = driver_name(run.key.name, int(attempt))
    if role == DRIVER and body["metadata"]["name"] == driver and controller == Controller(KIND, run.key.name, run.uid):
        return reduced(body, DRIVER, int(attempt))
    if role == EXECUTOR and (controller.kind, controller.name) == ("Pod", driver):
        return reduced(body, EXECUTOR, int(attempt))
    return None


def reduced(body: Body, role: str, attempt: int) -> Pod:
    """Reduces a pod to what decisions need, whatever its labels claim."""
    metadata, status = body["metadata"], body.get("status") or {}
    controller = controller_of(body)
    conditions = {item["type"]: item for item in status.get("conditions") or ()}
    state = _state_of(role, status.get("containerStatuses") or ())
    disruption = conditions.get("DisruptionTarget", {})
    scheduled = conditions.get("PodScheduled", {})
    annotations = metadata.get("annotations") or {}
    return Pod(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        attempt=attempt,
        role=role,
        owner=controller.uid if controller else "",
        version=int(metadata.get("resourceVersion") or 0),
        phase=status.get("phase", "Pending"),
        created=time_of(metadata.get("creationTimestamp")) or EPOCH,
        deleting=bool(metadata.get("deletionTimestamp")),
        scheduled=scheduled.get("status") == "True",
        scheduled_at=time_of(scheduled.get("lastTransitionTime")) if scheduled.get("status") == "True" else None,
        started=time_of((state.get("running") or state.get("terminated") or {}).get("startedAt")),
        ready=conditions.get("Ready", {}).get("status") == "True",
        address=status.get("podIP", ""),
        waiting=_waiting(scheduled, state.get("waiting")),
        exit=_exit(state.get("terminated")),
        disruption=shortened(disruption.get("reason", "") or status.get("reason", ""), REASON_LIMIT),
        message=shortened(disruption.get("message", "") or status.get("message", ""), TEXT_LIMIT),
        progress=progress_from(metadata["name"], annotations.get(PROGRESS_ANNOTATION, "")),
        applied=digests_from(annotations.get(APPLIED_ANNOTATION, "")) if role == DRIVER else None,
        executors=executors_from(annotations.get(EXECUTORS_ANNOTATION, "")) if role == DRIVER else None,
    )


def progress_from(driver: str, annotation: str) -> Progress | None:
    """The progress in a driver's annotation, or None if there is none or it is malformed."""
    if not annotation:
        return None
    if len(annotation) > PROGRESS_LIMIT:
        logger.warning("%s reports progress of %d characters; the limit is %d", driver, len(annotation), PROGRESS_LIMIT)
        return None
    try:
        return Progress.from_json(printable(annotation))
    except ValidationError as error:
        logger.warning("%s reports malformed progress: %s", driver, error.errors()[0]["msg"])
        return None


def _state_of(role: str, containers: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The state of the container named after the pod's role; a service mesh may have added others."""
    container = next((item for item in containers if item["name"] == role), None)
    return (container.get("state") or {}) if container else {}


def waiting_from(reason: str, message: str, at: datetime | None = None) -> PodWaiting:
    """Why a pod waits, in the cluster's words, bounded and printable."""
    return PodWaiting(shortened(reason, REASON_LIMIT), shortened(message, TEXT_LIMIT), at)


def _waiting(scheduled: Mapping[str, Any], waiting: Mapping[str, Any] | None) -> PodWaiting | None:
    if scheduled.get("status") == "False":
        return waiting_from(scheduled.get("reason", "Unschedulable"), scheduled.get("message", ""))
    return waiting_from(waiting.get("reason", ""), waiting.get("message", "")) if waiting else None


def _exit(terminated: Mapping[str, Any] | None) -> Exit | None:
    if terminated is None:
        return None
    return Exit(
        int(terminated.get("exitCode", 0)),
        shortened(terminated.get("reason", ""), REASON_LIMIT),
        printable(terminated.get("message", "")[:TERMINATION_MESSAGE_LIMIT]),
        time_of(terminated.get("finishedAt")),
    )
