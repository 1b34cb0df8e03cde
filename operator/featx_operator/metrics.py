"""Every metric of the operator. `python -m featx_operator.metrics` writes their page, docs/reference/metrics.md.

Label values are bounded: served namespaces, kinds of the API, and reasons that Featx knows.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import Metric

from featx_operator.metrics_by_run import MOST_RUNS, RunCollector

OTHER = "other"
_PLURALS = ("configmaps", "events", "featureextractions", "leases", "pods", "secrets")
_OTHERS = ("limitranges", "resourcequotas", "workloads")
KINDS = frozenset((*_PLURALS, *_OTHERS, "featureextractions/status", "workloads/status"))
METHODS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_PATH = re.compile(r"/(?:api/v1|apis/[^/]+/[^/]+)/(?:namespaces/[^/]+/)?([^/?]+)(/[^/]+)?(/[^/]+)?")

disable_created_metrics()  # type: ignore[no-untyped-call]  # as many series again, which nothing reads
REGISTRY = CollectorRegistry()

_SECONDS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300)
SUBMIT_SECONDS = Histogram(
    "featx_submit_seconds",
    "From the creation of a resource to that of its first driver pod. The API server's clock has whole seconds.",
    ("namespace",),
    buckets=(1, 2, 5, 10, 30, 60, 300, 1800, 7200),
    registry=REGISTRY,
)
START_SECONDS = Histogram(
    "featx_start_seconds",
    "From the creation of a driver pod until it runs.",
    ("namespace",),
    buckets=(1, 2, 5, 10, 30, 60, 120, 300, 900),
    registry=REGISTRY,
)
STATUS_LAG_SECONDS = Histogram(
    "featx_status_lag_seconds",
    "From the watch event of a pod until the status that it changes is written. Progress is held back on purpose, at "
    "most for FEATX_PROGRESS_SECONDS.",
    ("namespace",),
    buckets=_SECONDS,
    registry=REGISTRY,
)
QUEUE_DEPTH = Gauge("featx_queue_depth", "Resources that wait for a worker.", ("namespace",), registry=REGISTRY)
LONGEST_RECONCILE_SECONDS = Gauge(
    "featx_longest_reconcile_seconds",
    "For how long the slowest worker has been busy with one resource; 0 if none is.",
    registry=REGISTRY,
)
QUEUE_OLDEST_SECONDS = Gauge(
    "featx_queue_oldest_seconds", "How long the oldest of them has waited.", ("namespace",), registry=REGISTRY
)
RUNS = Gauge(
    "featx_runs",
    "Resources by state (Active, Succeeded, Failed) and reason: of the condition Reconciling while active, then of "
    "Succeeded.",
    ("namespace", "state", "reason"),
    registry=REGISTRY,
)
ENDED_RUNS = Counter("featx_ended_runs", "Runs that have ended.", ("namespace", "result", "reason"), registry=REGISTRY)
FAILED_ATTEMPTS = Counter(
    "featx_failed_attempts", "Attempts that have failed, by their class.", ("namespace", "reason"), registry=REGISTRY
)
IMAGES = Counter("featx_images", "Images of runs that have succeeded.", ("namespace",), registry=REGISTRY)
OUTPUT_BYTES = Counter(
    "featx_output_bytes", "Bytes of the tables of runs that have succeeded.", ("namespace",), registry=REGISTRY
)
IMAGES_PER_SECOND = Gauge(
    "featx_images_per_second",
    "Images a second of all running drivers: the means over their attempts, as they report them.",
    ("namespace",),
    registry=REGISTRY,
)
WAITING_DRIVERS = Gauge(
    "featx_waiting_drivers",
    "Running drivers that wait for an unresponsive store or calibrate.",
    ("namespace",),
    registry=REGISTRY,
)
API_REQUESTS = Counter(
    "featx_api_requests",
    "Requests to the API server, without watches. Code 0 stands for no response.",
    ("verb", "kind", "code"),
    registry=REGISTRY,
)
API_REQUEST_SECONDS = Histogram(
    "featx_api_request_seconds",
    "How long requests to the API server take.",
    ("verb",),
    buckets=_SECONDS,
    registry=REGISTRY,
)
RECONCILE_SECONDS = Histogram(
    "featx_reconcile_seconds", "How long a worker takes for a resource.", buckets=_SECONDS, registry=REGISTRY
)
RECONCILE_ERRORS = Counter(
    "featx_reconcile_errors", "Reconciles that failed and are retried.", ("namespace",), registry=REGISTRY
)
EVENTS_DROPPED = Counter(
    "featx_events_dropped", "Kubernetes Events that were not written, because too many waited.", registry=REGISTRY
)
LEASE_HELD = Gauge("featx_lease_held", "1 if this replica is the active one, 0 if it waits.", registry=REGISTRY)
BY_RUN = RunCollector()
REGISTRY.register(BY_RUN)


def kind_of(path: str) -> str:
    """The kind that a path of the API is about, with its subresource: a bounded number of values."""
    match = _PATH.match(path)
    if match is None:
        return OTHER
    kind = f"{match[1]}{match[3] or ''}"
    return kind if kind in KINDS else OTHER


def observe_request(method: str, path: str, code: int, seconds: float) -> None:
    """Counts a request to the API server."""
    verb = METHODS.get(method, OTHER)
    API_REQUESTS.labels(verb, kind_of(path), str(code)).inc()
    API_REQUEST_SECONDS.labels(verb).observe(seconds)


def page() -> Iterable[str]:
    """The lines of docs/reference/metrics.md."""
    yield "# Metrics\n"
    yield "The operator serves these at `/metrics` on port 9464 (`FEATX_METRICS_PORT`), in Prometheus' text format."
    yield "Each replica counts what it did itself. The one with `featx_lease_held` 1 is active, and it alone has gauges"
    yield "of runs and queues. A `reason` is one that Featx knows, or `other`. This page is generated from"
    yield "`featx_operator/metrics.py`.\n"
    yield from _HEAD
    for metric in (value for value in globals().values() if isinstance(value, Counter | Gauge | Histogram)):
        (family,) = metric.describe()
        yield _row(family, metric._labelnames)
    yield "\n## Of each run\n"
    yield "Drivers and executors serve no metrics: pods that run images and models of tenants need no open port for"
    yield "them. A driver reports its progress and that of its executors in an annotation of its pod, at most every 5"
    yield f"seconds. The operator serves it for runs whose driver runs, {MOST_RUNS:,} at most. [Metrics and"
    yield "dashboards](../how-to/metrics.md) explains what they say.\n"
    yield from _HEAD
    for family in BY_RUN.describe():
        yield _row(family, family._labelnames)


_HEAD = ("| metric | type | labels | meaning |", "|---|---|---|---|")


def _row(family: Metric, labels: Iterable[str]) -> str:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return f"| `{name}` | {family.type} | {', '.join(f'`{label}`' for label in labels)} | {family.documentation} |"


if __name__ == "__main__":
    sys.stdout.write("\n".join(page()) + "\n")
