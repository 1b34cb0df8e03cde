"""A driver pod that does not run yet: report what it waits for, and fail the attempt when waiting is pointless.

A missing Secret gets a short grace period (it may be applied together with the run) and then fails the run, since no
further attempt would find it either. The kubelet must have reported it missing after the grace period: it checks ever
less often, so the Secret of an older report may exist by now. Everything else may take until the start deadline, which
fails the attempt.
"""

from __future__ import annotations

import re

from featx_api.failures import FailureClass
from featx_api.status import Driver, Executors

from featx_operator.decisions import reasons
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
# Whole messages of the kubelet and the scheduler, by their reason; images and CSI drivers quote text of others.
_NOT_FOUND = {
    "FailedMount": re.compile(r'MountVolume\.SetUp failed for volume "[^"]+" ?: (secret) "([^"]+)" not found'),
    "CreateContainerConfigError": re.compile(r'(secret) "([^"]+)" not found'),
    "Unschedulable": re.compile(
        r'(?:\d+/\d+ nodes are available: )?(persistentvolumeclaim) "([^"]+)" not found(?:\. .*)?', re.DOTALL
    ),
}
_MISSING = {
    "secret": (
        reasons.SECRET_NOT_FOUND,
        "Secret {} not found in the run's namespace: create it or correct the secretRef",
    ),
    "persistentvolumeclaim": (
        reasons.CLAIM_NOT_FOUND,
        "PersistentVolumeClaim {} not found in the run's namespace: create it or correct the claim's name",
    ),
}


def waiting_for(driver: Pod, mount_failure: PodWaiting | None) -> PodWaiting:
    """Why a pending driver does not run yet, with one of our reasons."""
    waiting = mount_failure or driver.waiting or PodWaiting(reasons.PENDING)
    pattern = _NOT_FOUND.get(waiting.reason)
    if match := pattern and pattern.fullmatch(waiting.message):
        reason, message = _MISSING[match[1]]
        return PodWaiting(reason, message.format(match[2]), waiting.at)
    default = reasons.STARTING if driver.scheduled else reasons.PENDING
    return PodWaiting(_REASONS.get(waiting.reason, default), waiting.message, waiting.at)


def _class_of(waiting: PodWaiting) -> FailureClass:
    """Why an attempt fails whose driver has waited for too long."""
    known = FailureClass.named(waiting.reason)
    # Others that only a retry can clear up, such as a Secret that the kubelet has not looked for again.
    return known if known and known.retryable else FailureClass.DRIVER_NOT_STARTED


def starting(run: Run, driver: Pod) -> Plan:
    """Reports why a driver does not run yet, or fails its attempt."""
    waiting = waiting_for(driver, run.observed.mount_failure)
    age = run.seconds_since(driver.created)
    grace, deadline = run.settings.secret_grace_seconds, run.settings.start_deadline_seconds
    message = waiting.message or "the driver pod did not start"
    age_when_reported = age - run.seconds_since(waiting.at)
    if waiting.reason == reasons.SECRET_NOT_FOUND and age_when_reported >= grace:
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
