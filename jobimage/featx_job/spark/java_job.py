"""dev.featx.spark.Job with types: what crosses to Java are documents of `featx_api.executor_contract`."""

from __future__ import annotations

from typing import Any, NamedTuple

from featx_api.executor_contract import (
    Comparison,
    Observation,
    ReadResult,
    ReplacementResult,
    ShardResult,
    TaskSettings,
)
from featx_api.group_contract import GroupResult
from pydantic import TypeAdapter
from pyspark import SparkContext

from featx_job.clients import java

_FINISHED = TypeAdapter(list[ShardResult])
_JOINED = TypeAdapter(list[GroupResult])
_REPLACED = TypeAdapter(list[ReplacementResult])


class NetPaths(NamedTuple):
    """Network files of a run's nets.

    Attributes:
        detector: None without a detector.
        extractor: The net whose output is the feature.
    """

    detector: str | None
    extractor: str


class JavaJob:
    """Runs tasks on a Spark context. Calls block, and raise what py4j raises."""

    def __init__(self, spark: SparkContext, settings: TaskSettings) -> None:
        """Pass the settings that all tasks share.

        Args:
            spark: Where tasks run.
            settings: Of the tasks.
        """
        self._job: Any = java.packages().spark.Job(java.context(spark), settings.to_json())

    def run(self, shards: str, nets: NetPaths) -> None:
        """Run shards until all are done.

        Args:
            shards: File with a `ShardLine` per line.
            nets: The run's nets.
        """
        self._job.run(shards, *nets)

    def poll(self) -> list[ShardResult]:
        """Return shards that are done and were not returned before, some hundred at most; none if there are none."""
        return _FINISHED.validate_json(self._job.poll(), strict=True)

    def waiting(self) -> str | None:
        """Return what an executor waits for, or None."""
        return str(self._job.waiting() or "") or None

    def read(self, shards: str) -> ReadResult:
        """Read shards without running nets.

        Args:
            shards: File with a `ShardLine` per line.
        """
        return ReadResult.from_json(self._job.read(shards))

    def observe(self, images: str, watched: NetPaths) -> Observation:
        """Return the values that nets take on images.

        Args:
            images: File with one `ShardLine`.
            watched: Nets whose outputs include all values.
        """
        return Observation.from_json(self._job.observe(images, *watched))

    def compare(self, images: str, plain: NetPaths, judged: NetPaths) -> Comparison:
        """Return how far nets are from nets in float32.

        Args:
            images: File with one `ShardLine`.
            plain: Nets in float32, whose outputs include all values.
            judged: The nets that are compared with them.
        """
        return Comparison.from_json(self._job.compare(images, *plain, *judged))

    def join(self, tasks: str) -> list[GroupResult]:
        """Join files of shards.

        Args:
            tasks: File with a `GroupTask` per line.
        """
        return _JOINED.validate_json(self._job.join(tasks), strict=True)

    def replace(self, tasks: str) -> list[ReplacementResult]:
        """Remove rows from files of the table that newer files have.

        Args:
            tasks: File with a `ReplacementTask` per line.
        """
        return _REPLACED.validate_json(self._job.replace(tasks), strict=True)

    def write_empty(self, file: str) -> None:
        """Write a file of the table without rows.

        Args:
            file: Its address.
        """
        self._job.writeEmpty(file)
