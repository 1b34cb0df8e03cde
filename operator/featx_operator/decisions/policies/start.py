"""A driver pod that does not run yet: report what it waits for, and fail the attempt when waiting is pointless.

A missing Secret gets a short grace period (it may be applied together with the run) and then fails the run, since no
further attempt would find it either. A report alone never fails it: the report may be old, or an Event that somebody
else has written, so the Secret must be one of the run's, and missing at the API server too. Everything else may take
until the start deadline, which fails the attempt.
"""

from __future__ import annotations

import re

from featx_api.failures import FailureClass
from featx_api.status import Driver, Executors, FeatureExtractionStatus

from featx_operator.decisions import conditions, reasons
from featx_operator.decisions.conditions import Finding
from featx_operator.decisions.policies import retry
from featx_operator.decisions.policies.end import AttemptFailure
from featx_operator.decisions.run import Plan, Run
from featx_operator.state.observed import Pod, PodWaiting

REQUEUE_SECONDS = 5.0  # only Events report why volumes can't be mounted, and those are not watched

_REASONS = {
    "Unschedulable": reasons.UNSCHEDULABLE,
    "SchedulingGated": reasons.UNSCHEDULABLE,
    "ErrImagePull": reasons.IMAGE_UNAVAILABLE,
    "ImagePullBackOff": reasons.IMAGE_UNAVAILABLE,
    "ErrImageNeverPull": reasons.IMAGE_UNAVAILABLE,
    "InvalidImageName": reasons.IMAGE_UNAVAILABLE,
    "CreateContainerConfigError": reasons.CONTAINER_CONFIG,
    "CreateContainerError": reasons.CONTAINER_CONFIG,
    "RunContainerError": reasons.CONTAINER_CONFIG,
}
_VAGUE = ("", "ContainerCreating", "PodInitializing")  # of the kubelet, while it mounts volumes
_NAME = r"[a-z0-9][-.a-z0-9]*"
# Whole messages of the kubelet and the scheduler, by their reason; images and CSI drivers quote text of others.
_SECRET_NOT_FOUND = {
    "FailedMount": re.compile(rf'MountVolume\.SetUp failed for volume "[^"]+" ?: secret "({_NAME})" not found'),
    "CreateContainerConfigError": re.compile(rf'secret "({_NAME})" not found'),
}
_CLAIM_NOT_FOUND = re.compile(
    rf'(?:\d+/\d+ nodes are available: )?persistentvolumeclaim "({_NAME})" not found(?:\. .*)?', re.DOTALL
)


def reported_secret(driver: Pod, mount_failure: PodWaiting | None) -> str | None:
    """The Secret that a pending driver is reported to miss, or None."""
    waiting = _reported(driver, mount_failure)
    pattern = _SECRET_NOT_FOUND.get(waiting.reason)
    match = pattern.fullmatch(waiting.message) if pattern else None
    return match[1] if match else None


def is_start(before: FeatureExtractionStatus, after: FeatureExtractionStatus) -> bool:
    """Whether all that a change of status says is that a pending driver has got a node."""
    old, new = (conditions.find(status.conditions, "DriverReady") for status in (before, after))
    reported = old is not None and new is not None and (old.reason, new.reason) == (reasons.PENDING, reasons.STARTING)
    return (
        reported
        and new is not None
        and not new.message
        and before.driver == after.driver
        and before.attempt == after.attempt
    )


def waiting_for(run: Run, driver: Pod) -> PodWaiting:
    """Why a pending driver does not run yet, with one of our reasons."""
    waiting = _reported(driver, run.observed.mount_failure)
    secret = reported_secret(driver, run.observed.mount_failure)
    if secret in run.observed.absent_secrets and secret in run.resource.spec.secret_names():
        text = f"Secret {secret} not found in the run's namespace: create it or correct the secretRef"
        return PodWaiting(reasons.SECRET_NOT_FOUND, text)
    if waiting.reason == "Unschedulable" and (claim := _CLAIM_NOT_FOUND.fullmatch(waiting.message)):
        text = f"{claim[1]} not found in the run's namespace: create it or correct the claim's name"
        return PodWaiting(reasons.CLAIM_NOT_FOUND, f"PersistentVolumeClaim {text}")
    default = reasons.STARTING if driver.scheduled else reasons.PENDING
    return PodWaiting(_REASONS.get(waiting.reason, default), waiting.message)


def _reported(driver: Pod, mount_failure: PodWaiting | None) -> PodWaiting:
    """What the pod's status says, or an Event about its volumes if the status says nothing."""
    own = driver.waiting or PodWaiting(reasons.PENDING)
    return mount_failure if mount_failure and (driver.waiting is None or own.reason in _VAGUE) else own


def _class_of(waiting: PodWaiting) -> FailureClass:
    """Why an attempt fails whose driver has waited for too long."""
    known = FailureClass.named(waiting.reason)
    # Others that only a retry can clear up, such as a Secret that the kubelet has not looked for again.
    return known if known and known.retryable else FailureClass.DRIVER_NOT_STARTED


def starting(run: Run, driver: Pod) -> Plan:
    """Reports why a driver does not run yet, or fails its attempt."""
    waiting = waiting_for(run, driver)
    age = run.seconds_since(driver.created)
    grace, deadline = run.settings.secret_grace_seconds, run.settings.start_deadline_seconds
    message = waiting.message or "the driver pod did not start"
    if waiting.reason == reasons.SECRET_NOT_FOUND and age >= grace:
        return retry.failed(run, AttemptFailure(FailureClass.SECRET_NOT_FOUND, message))
    if age >= deadline:
        text = f"the driver pod did not start within {deadline:.0f} s: {message}"
        return retry.failed(run, AttemptFailure(_class_of(waiting), text))
    status = run.report(
        {
            "QuotaReserved": Finding("True", reasons.RESERVED),
            "DriverReady": Finding("False", waiting.reason, waiting.message),
            "ExecutorsReady": Finding("False", reasons.DRIVER_NOT_READY),
            "Succeeded": Finding("Unknown", reasons.PENDING, waiting.message),
            "Reconciling": Finding("True", waiting.reason, waiting.message),
        },
        driver=Driver(pod_name=driver.name, pod_uid=driver.uid),
        executors=Executors(desired=run.resource.spec.execution.wanted, ready=0),
        next_attempt_time=None,
    )
    return Plan((), status, requeue_after=min(max(age, 1.0), REQUEUE_SECONDS, deadline - age))
