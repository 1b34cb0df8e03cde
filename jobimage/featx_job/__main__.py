"""The entry point of a driver pod: `python -m featx_job`."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from featx_api.contract import FEATX_JOB, JOB_FILE, ExitCode, JobSpec, Outcome
from featx_api.failures import FailureClass

from featx_job import driver_pod, run
from featx_job.environment import pod_environment
from featx_job.failures import RunFailure

LOG = logging.getLogger("featx_job")


def main() -> ExitCode:
    """Run the attempt that the job file describes."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGTERM, _stopped)
    job = JobSpec.model_validate_json(Path(os.environ.get(FEATX_JOB, JOB_FILE)).read_bytes())
    environment = pod_environment(os.environ)
    assert environment.cluster is not None
    LOG.info("attempt %d of %s/%s", job.attempt, job.namespace, job.name)
    try:
        outcome = run.run(job, environment, driver_pod.Annotations(environment.cluster))
    except _Stopped:
        failure = RunFailure(FailureClass.STOPPED, "the driver pod was asked to stop")
        outcome = Outcome(result="Failed", failure=failure.to_status(), retryable=failure.retryable)
    driver_pod.leave_message(outcome)
    if outcome.failure:
        LOG.error("%s: %s", outcome.failure.class_, outcome.failure.message)
        return ExitCode.RETRYABLE if outcome.retryable else ExitCode.PERMANENT
    LOG.info("succeeded: %s", outcome.progress)
    return ExitCode.SUCCEEDED


class _Stopped(BaseException):
    """SIGTERM as an exception, so that executors are stopped on the way out."""


def _stopped(signal_number: int, frame: FrameType | None) -> None:
    raise _Stopped


if __name__ == "__main__":
    sys.exit(main())
