"""A driver pod that does not run yet: report what it waits for, and fail the attempt when waiting is pointless.

A missing Secret gets a short grace period (it may be applied together with the run) and then fails the run, since no
further attempt would find it either. A report alone never fails it: the report may be old, or an Event that somebody
else has written, so the Secret must be one of the run's, and missing at the API server too.

Waiting for a node, an image or a claim is no attempt's failure, and another pod would wait as well: each has a deadline
of its own, which the message names, and at which the run fails. Everything else may take until the start deadline,
which fails the attempt.
"""

from __future__ import annotations

import re
from datetime import datetime

from featx_api.failures import FailureClass
from featx_api.status import Driver, Executors, FeatureExtractionStatus

from featx_operator.decisions import conditions, reasons
from featx_operator.decisions.conditions import Finding
from featx_operator.decisions.policies import retry
from featx_operator.decisions.policies.end import AttemptFailure, gave_up
from featx_operator.decisions.policies.waits import OURS
from featx_operator.decisions.run import Plan, Run, after, time_text
from featx_operator.state.observed import Pod, PodWaiting

REQUEUE_SECONDS = 5.0  # only Events report why volumes can't be mounted, and those are not watched

# Ends a run that waited for too long, and no attempt.
_NO_ATTEMPT = (reasons.UNSCHEDULABLE, reasons.IMAGE_UNAVAILABLE, reasons.SECRET_NOT_FOUND, reasons.CLAIM_NOT_FOUND)
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
    return PodWaiting(OURS.get(waiting.reason, default), waiting.message)


def _reported(driver: Pod, mount_failure: PodWaiting | None) -> PodWaiting:
    """What the pod's status says, or an Event about its volumes if the status says nothing."""
    own = driver.waiting or PodWaiting(reasons.PENDING)
    return mount_failure if mount_failure and (driver.waiting is None or own.reason in _VAGUE) else own


def _deadline(run: Run, driver: Pod, reason: str) -> datetime:
    """Until when a driver may wait for what it waits for."""
    settings, placed = run.settings, driver.scheduled_at or driver.created
    if reason == reasons.UNSCHEDULABLE:
        return after(driver.created, settings.unschedulable_seconds)
    if reason == reasons.IMAGE_UNAVAILABLE:
        return after(placed, settings.image_seconds)
    if reason == reasons.SECRET_NOT_FOUND:
        return after(placed, settings.secret_grace_seconds)
    return after(placed, settings.start_deadline_seconds)


def _out_of_time(run: Run, waiting: PodWaiting, until: datetime) -> Plan:
    """Fails the run if no attempt could start, otherwise the attempt."""
    message = waiting.message or "the driver pod did not start"
    class_ = FailureClass.named(waiting.reason)
    if class_ and waiting.reason in _NO_ATTEMPT:
        text = message if class_ == FailureClass.SECRET_NOT_FOUND else f"not resolved by {time_text(until)}: {message}"
        return gave_up(run, AttemptFailure(class_, text))
    text = f"the driver pod did not start by {time_text(until)}: {message}"
    # Others that only a retry can clear up, such as a Secret that the kubelet has not looked for again.
    return retry.failed(run, AttemptFailure(class_ or FailureClass.DRIVER_NOT_STARTED, text))


def starting(run: Run, driver: Pod) -> Plan:
    """Reports why a driver does not run yet, or fails its attempt."""
    waiting = waiting_for(run, driver)
    until = _deadline(run, driver, waiting.reason)
    if run.now >= until:
        return _out_of_time(run, waiting, until)
    message = waiting.message
    if waiting.reason in _NO_ATTEMPT:
        message = f"waits until {time_text(until)}: {message}"
    status = run.report(
        {
            "QuotaReserved": Finding("True", reasons.RESERVED),
            "DriverReady": Finding("False", waiting.reason, message),
            "ExecutorsReady": Finding("False", reasons.DRIVER_NOT_READY),
            "Succeeded": Finding("Unknown", waiting.reason, message),
            "Reconciling": Finding("True", waiting.reason, message),
        },
        driver=Driver(pod_name=driver.name, pod_uid=driver.uid),
        executors=Executors(desired=run.resource.spec.execution.wanted, ready=0),
        next_attempt_time=None,
    )
    age, left = run.seconds_since(driver.created), (until - run.now).total_seconds()
    return Plan((), status, requeue_after=min(max(age, 1.0), REQUEUE_SECONDS, left))
