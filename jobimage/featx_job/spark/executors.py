"""dev.featx.spark.ExecutorCount with types: how many executors a run has, while they work."""

from __future__ import annotations

from typing import Any

from pyspark import SparkContext

from featx_job.clients import java


class Executors:
    """The executors of a Spark context. Calls raise what py4j raises."""

    def __init__(self, spark: SparkContext, count: int) -> None:
        """Take over from Spark.

        Args:
            spark: The context, of a cluster.
            count: The number of executors in its settings.
        """
        self._count: Any = java.packages().spark.ExecutorCount(java.context(spark), count)

    def keep(self, count: int) -> None:
        """Have so many executors from now on. To be called again and again.

        Args:
            count: Their number.
        """
        self._count.keep(count)
