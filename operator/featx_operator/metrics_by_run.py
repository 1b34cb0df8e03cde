"""Metrics of each running run: how fast it is and where its time goes, as its driver reports it.

Drivers and executors run images and models of tenants, and serve nothing: what they report in the driver's annotation
is checked where it enters (`featx_operator.state.observed`), and labels are only namespace, run, and words of Featx. A
run has series while its driver runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple, get_args

from featx_api.status import Progress, StepSeconds, WaitingReason
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

MOST_RUNS: Final = 1000  # with series of their own; the oldest resources first
STEPS: Final = tuple(StepSeconds.model_fields)
REASONS: Final = tuple(get_args(WaitingReason))
LABELS: Final = ("namespace", "run")

Family = CounterMetricFamily | GaugeMetricFamily


class RunningRun(NamedTuple):
    """A run whose driver runs.

    Attributes:
        namespace: Of its resource.
        name: Of its resource.
        progress: What its driver last reported.
        executors: How many of its executors are ready.
    """

    namespace: str
    name: str
    progress: Progress
    executors: int


class RunCollector(Collector):
    """Writes the metrics of the runs that it was last given."""

    def __init__(self) -> None:
        self.runs: tuple[RunningRun, ...] = ()

    def describe(self) -> Iterable[Family]:
        """The metrics without values."""
        return tuple(_families().values())

    def collect(self) -> Iterable[Family]:
        """The metrics of all runs."""
        families = _families()
        for run in self.runs[:MOST_RUNS]:
            labels, progress = (run.namespace, run.name), run.progress
            for name, value in (
                ("images", progress.images_done),
                ("failed_images", progress.images_failed),
                ("source_images", progress.images_total),
                ("images_per_second", progress.images_per_second),
                ("executors", run.executors),
            ):
                families[name].add_metric(labels, value)
            seconds = progress.step_seconds or StepSeconds()
            for step in STEPS:
                families["step_seconds"].add_metric((*labels, step), getattr(seconds, step))
            for reason in REASONS:
                families["waiting"].add_metric((*labels, reason), progress.waiting_reason == reason)
        return families.values()


def _families() -> dict[str, Family]:
    return {
        "images": CounterMetricFamily(
            "featx_run_images",
            "Images that a running run has finished in all of its attempts, including those in quarantine.",
            labels=LABELS,
        ),
        "failed_images": CounterMetricFamily(
            "featx_run_failed_images", "Of these, images in quarantine.", labels=LABELS
        ),
        "source_images": GaugeMetricFamily(
            "featx_run_source_images", "Images of its source; 0 until their number is known.", labels=LABELS
        ),
        "images_per_second": GaugeMetricFamily(
            "featx_run_images_per_second", "Images a second, the mean over its current attempt.", labels=LABELS
        ),
        "executors": GaugeMetricFamily("featx_run_executors", "Executors that are ready.", labels=LABELS),
        "step_seconds": CounterMetricFamily(
            "featx_run_step_seconds",
            "Seconds that threads of its executors spent in each step, added up over the finished shards of the "
            "current attempt: read (from the source, also waiting for it), decode, idle (the models have no decoded "
            "image), detect, extract, write.",
            labels=(*LABELS, "step"),
        ),
        "waiting": GaugeMetricFamily(
            "featx_run_waiting",
            "1 while its driver waits: StoreUnreachable, or Calibrating. 0 otherwise.",
            labels=(*LABELS, "reason"),
        ),
    }
