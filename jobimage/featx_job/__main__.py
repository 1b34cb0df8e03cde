"""The entry point of a driver pod: `python -m featx_job`."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from featx_api.contract import FEATX_JOB, FEATX_JOB_SHA256, JOB_FILE, ExitCode, JobSpec, Outcome
from featx_api.failures import FailureClass

from featx_job import driver_pod, run
from featx_job.environment import pod_environment, read_checked
from featx_job.failures import RunFailure

LOG = logging.getLogger("featx_job")


def main() -> ExitCode:
    """Run the attempt that the job file describes."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGTERM, _stopped)
    try:
        outcome = _outcome(os.environ)
    except RunFailure as failure:
        outcome = _failed(failure)
    except _Stopped:
        outcome = _failed(RunFailure(FailureClass.STOPPED, "the driver pod was asked to stop"))
    driver_pod.leave_message(outcome)
    if outcome.failure:
        LOG.error("%s: %s", outcome.failure.class_, outcome.failure.message)
        return ExitCode.RETRYABLE if outcome.retryable else ExitCode.PERMANENT
    LOG.info("succeeded: %s images", outcome.progress.summary if outcome.progress else "no")
    return ExitCode.SUCCEEDED


def _outcome(variables: Mapping[str, str]) -> Outcome:
    """Run the attempt.

    Raises:
        RunFailure: JobFileChanged.
    """
    path = Path(variables.get(FEATX_JOB, JOB_FILE))
    job = JobSpec.from_json(read_checked(path, FEATX_JOB_SHA256, variables))
    environment = pod_environment(variables)
    assert environment.cluster is not None
    LOG.info("attempt %d of %s/%s", job.attempt, job.namespace, job.name)
    return run.run(job, environment, driver_pod.Annotations(environment.cluster, job))


def _failed(failure: RunFailure) -> Outcome:
    return Outcome(result="Failed", failure=failure.to_status(), retryable=failure.retryable)


class _Stopped(BaseException):
    """SIGTERM as an exception, so that executors are stopped on the way out."""


def _stopped(signal_number: int, frame: FrameType | None) -> None:
    raise _Stopped


if __name__ == "__main__":
    sys.exit(main())
