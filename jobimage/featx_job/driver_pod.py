"""How a driver pod reports: progress as its own annotation, the outcome as its termination message.

The response to a report of progress says how many executors the run is to have now.
"""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path

from featx_api.contract import (
    EXECUTORS_ANNOTATION,
    PROGRESS_ANNOTATION,
    TERMINATION_MESSAGE_FILE,
    TERMINATION_MESSAGE_LIMIT,
    JobSpec,
    Outcome,
)
from featx_api.status import Failure, Progress
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from featx_job.environment import Cluster

LOG = logging.getLogger(__name__)
SECONDS_BETWEEN = 5.0
_ELLIPSIS = " …".encode()


class Annotations:
    """Annotates the driver's own pod, seldom enough for thousands of runs to share one API server."""

    def __init__(self, cluster: Cluster, job: JobSpec) -> None:
        """Uses the pod's service account."""
        config.load_incluster_config()  # type: ignore[no-untyped-call]
        self._api = client.CoreV1Api()
        self._cluster, self._job = cluster, job
        self._last = -SECONDS_BETWEEN
        self._total_seen = False
        self._executors: int | None = None

    def __call__(self, progress: Progress) -> int | None:
        """Writes progress unless it was written moments ago. A failed write does not fail the run.

        Returns:
            How many executors the run is to have, as of the last report; None if nobody says so.
        """
        first_total = progress.images_total > 0 and not self._total_seen
        complete = 0 < progress.images_total == progress.images_done
        if time.monotonic() - self._last < SECONDS_BETWEEN and not first_total and not complete:
            return self._executors
        self._last, self._total_seen = time.monotonic(), self._total_seen or progress.images_total > 0
        body = {"metadata": {"annotations": {PROGRESS_ANNOTATION: json.dumps(progress.to_wire())}}}
        try:
            name, namespace = self._cluster.pod_name, self._cluster.namespace
            pod = self._api.patch_namespaced_pod(name, namespace, body, _request_timeout=10)
            annotations = (pod.metadata.annotations if pod.metadata else None) or {}
            self._executors = self._job.executors(annotations.get(EXECUTORS_ANNOTATION))
        except (ApiException, OSError) as error:
            reason = f"status {error.status}" if isinstance(error, ApiException) else type(error).__name__
            LOG.warning("progress could not be written: %s", reason)
        return self._executors


def leave_message(outcome: Outcome, path: Path = Path(TERMINATION_MESSAGE_FILE)) -> None:
    """Writes the outcome where the kubelet reads it. A message that is too long loses text, never structure."""
    path.write_text(message(outcome))


def message(outcome: Outcome) -> str:
    """Return the outcome as JSON of at most `TERMINATION_MESSAGE_LIMIT` bytes."""
    # Addresses can have a thousand characters; the manifest's is the table's plus a known name.
    bare = [table.model_copy(update={"manifest": None}) for table in outcome.outputs]
    for outputs in (bare, []):
        if _excess(outcome) > 0:
            outcome = outcome.model_copy(update={"outputs": outputs})
    excess = _excess(outcome)
    if excess > 0 and outcome.failure is not None:
        short = outcome.failure.message.encode()[: -excess - len(_ELLIPSIS)].decode(errors="ignore")
        failure = Failure(class_=outcome.failure.class_, message=short + _ELLIPSIS.decode())
        outcome = outcome.model_copy(update={"failure": failure})
    return _json(outcome)


def _excess(outcome: Outcome) -> int:
    return len(_json(outcome).encode()) - TERMINATION_MESSAGE_LIMIT


def _json(outcome: Outcome) -> str:
    return json.dumps(outcome.to_wire(), ensure_ascii=False)
