"""What the metrics learn from a status that was written, and from the store and the queue when they are scraped."""

from __future__ import annotations

from datetime import datetime

from featx_api.failures import FailureClass
from featx_api.status import ConditionType, FeatureExtractionStatus

from featx_operator import metrics
from featx_operator.decisions import conditions, reasons
from featx_operator.metrics_by_run import RunningRun
from featx_operator.objects import Body, key_of
from featx_operator.queue import Queue
from featx_operator.state.observed import Pod
from featx_operator.state.store import Store
from featx_operator.state.words import time_of

BY_NAMESPACE = (
    metrics.QUEUE_DEPTH,
    metrics.QUEUE_OLDEST_SECONDS,
    metrics.IMAGES_PER_SECOND,
    metrics.WAITING_DRIVERS,
)
GAUGES = (metrics.RUNS, *BY_NAMESPACE)
KNOWN_REASONS = frozenset(
    value for name, value in vars(reasons).items() if name.isupper() and isinstance(value, str)
) | frozenset(str(kind) for kind in FailureClass)


def observe_status(
    body: Body,
    before: FeatureExtractionStatus,
    after: FeatureExtractionStatus,
    waited: float | None,
    driver: Pod | None,
    now: datetime,
) -> None:
    """Observes a status that was written.

    Args:
        body: The resource.
        before: Its status until now.
        after: Its new status.
        waited: Seconds since the watch event of a pod that led to it, or None if another cause did.
        driver: The current driver, if it is known.
        now: The time, in UTC.
    """
    namespace = key_of(body).namespace
    if waited is not None:
        metrics.STATUS_LAG_SECONDS.labels(namespace).observe(waited)
    if after.driver and before.driver is None and after.attempt == 1:
        created = time_of(body["metadata"].get("creationTimestamp"))
        if created:
            metrics.SUBMIT_SECONDS.labels(namespace).observe(max(0.0, (now - created).total_seconds()))
    if driver and became_true(before, after, "DriverReady"):
        metrics.START_SECONDS.labels(namespace).observe(max(0.0, (now - driver.created).total_seconds()))
    if after.failed_attempts > before.failed_attempts and after.failure:
        metrics.FAILED_ATTEMPTS.labels(namespace, bounded(after.failure.class_)).inc()
    end = conditions.find(after.conditions, "Succeeded")
    was = conditions.find(before.conditions, "Succeeded")
    if end and end.status != "Unknown" and not (was and was.status == end.status):
        result = "Succeeded" if end.status == "True" else "Failed"
        metrics.ENDED_RUNS.labels(namespace, result, bounded(end.reason)).inc()
        if end.status == "True":
            metrics.IMAGES.labels(namespace).inc(after.progress.images_done if after.progress else 0)
            metrics.OUTPUT_BYTES.labels(namespace).inc(sum(table.bytes for table in after.outputs))


def refresh(store: Store, queue: Queue, active: bool = True) -> None:
    """Sets the gauges that are computed when they are read.

    Args:
        store: What is known of runs.
        queue: Their keys.
        active: Whether this replica acts. One that waits knows the same runs, which would count twice, and nothing
            takes keys from its queue.
    """
    for gauge in GAUGES:
        gauge.clear()
    running = [RunningRun(*key, progress, executors) for key, progress, executors in store.running()] if active else []
    metrics.BY_RUN.runs = tuple(running)
    metrics.LONGEST_RECONCILE_SECONDS.set(queue.longest())
    if not active:
        return
    counts = store.counts()
    for namespace in {namespace for namespace, _, _ in counts}:  # none is 0, rather than a gap
        for gauge in BY_NAMESPACE:
            gauge.labels(namespace)
    for run in running:
        metrics.IMAGES_PER_SECOND.labels(run.namespace).inc(run.progress.images_per_second)
        metrics.WAITING_DRIVERS.labels(run.namespace).inc(run.progress.waiting is not None)
    for (namespace, state, reason), count in counts.items():
        metrics.RUNS.labels(namespace, state, bounded(reason)).inc(count)
    for namespace, backlog in queue.backlogs().items():
        if namespace:
            metrics.QUEUE_DEPTH.labels(namespace).set(backlog.keys)
            metrics.QUEUE_OLDEST_SECONDS.labels(namespace).set(backlog.seconds)


def bounded(reason: str) -> str:
    """A reason that Featx knows, or `other`: a status may be written by others too."""
    return reason if reason in KNOWN_REASONS else metrics.OTHER


def became_true(before: FeatureExtractionStatus, after: FeatureExtractionStatus, kind: ConditionType) -> bool:
    """Whether a condition has just become True."""
    return conditions.is_true(after.conditions, kind) and not conditions.is_true(before.conditions, kind)
