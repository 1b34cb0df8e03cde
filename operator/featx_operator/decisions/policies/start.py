"""From a driver pod that was created to one that runs: say what it waits for, and give up when that is hopeless.

A missing Secret gets a short grace (it may be applied together with the run) and then fails the run, since no further
attempt would find it either. What counts is that the kubelet has missed it after the grace: it looks ever more seldom,
and a Secret may be there by now. All else has until the start deadline, and then counts as a failed attempt.
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
from featx_operator.state.observed import Pod, Waiting

LOOK_AGAIN = 5.0  # what keeps volumes from being mounted stands in Events only, and those are not watched

_KINDS = {
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
_NOT_FOUND = re.compile(r'(secret|persistentvolumeclaim)s? "([^"]+)" not found')
_MISSING = {
    "secret": (
        reasons.SECRET_NOT_FOUND,
        "Secret {} does not exist in the run's namespace: create it, or correct its secretRef",
    ),
    "persistentvolumeclaim": (
        reasons.CLAIM_NOT_FOUND,
        "PersistentVolumeClaim {} does not exist in the run's namespace",
    ),
}


def waits_for(driver: Pod, mount_problem: Waiting | None) -> Waiting:
    """Returns what a pending driver waits for, with a reason of ours."""
    waiting = driver.waiting or Waiting(reasons.PENDING)
    text = mount_problem.message if mount_problem else waiting.message
    if match := _NOT_FOUND.search(text):
        reason, message = _MISSING[match[1]]
        return Waiting(reason, message.format(match[2]), mount_problem.at if mount_problem else None)
    if mount_problem:
        return Waiting(reasons.STARTING, mount_problem.message, mount_problem.at)
    usual = reasons.STARTING if driver.scheduled else reasons.PENDING
    return Waiting(_KINDS.get(waiting.reason, usual), waiting.message)


def _class_of(waiting: Waiting) -> FailureClass:
    """Returns why an attempt fails whose driver has waited for too long."""
    known = FailureClass.named(waiting.reason)
    # One that only a retry can clear up, such as a Secret that the kubelet has not looked for again.
    return known if known and known.retryable else FailureClass.DRIVER_NOT_STARTED


def starting(run: Run, driver: Pod) -> Plan:
    """Reports a driver that does not run yet, or fails its attempt."""
    waiting = waits_for(driver, run.observed.mount_problem)
    age = run.seconds_since(driver.created)
    grace, deadline = run.settings.secret_grace_seconds, run.settings.start_deadline_seconds
    missed_after = run.seconds_since(driver.created) - run.seconds_since(waiting.at)
    if waiting.reason == reasons.SECRET_NOT_FOUND and missed_after >= grace:
        return retry.failed(run, AttemptFailure(FailureClass.SECRET_NOT_FOUND, waiting.message))
    if age >= deadline:
        text = f"the driver pod did not start within {deadline:.0f} s: {waiting.message or waiting.reason}"
        return retry.failed(run, AttemptFailure(_class_of(waiting), text))
    status = run.report(
        {
            "QuotaReserved": Finding("True", reasons.RESERVED),
            "DriverReady": Finding("False", waiting.reason, waiting.message),
            "ExecutorsReady": Finding("False", reasons.DRIVER_NOT_READY),
            "Succeeded": Finding("Unknown", reasons.PENDING, waiting.message),
            "Reconciling": Finding("True", waiting.reason, waiting.message),
        },
        driver=Driver(pod_name=driver.name),
        executors=Executors(desired=run.resource.spec.execution.wanted, ready=0),
        next_attempt_time=None,
    )
    return Plan((), status, requeue_after=min(max(age, 1.0), LOOK_AGAIN, deadline - age))
