"""Plain Spark: mapInPandas over paths, nets loaded once per Python worker, Parquet out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import pandas
from pyspark.sql import SparkSession

from tests.bench.pipeline.baselines.images import Row, batches
from tests.bench.pipeline.baselines.work import Work

COLUMNS = "key string, score double, x0 double, y0 double, x1 double, y1 double, feature array<float>"


def main(path: str) -> None:
    """Runs a work file."""
    work = Work.read(path)
    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master(f"local[{work.cores}]")
        # One task at a time, whose net uses all cores: faster than one net per core, with half the memory.
        .config("spark.task.cpus", str(work.cores))
        .config("spark.driver.memory", "1g")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", str(work.part))
        .getOrCreate()
    )
    parts = -(-len(work.images) // work.part)
    slices = session.sparkContext.parallelize([(path,) for path in work.images], parts)

    def run(frames: Iterable[Any]) -> Iterator[Any]:
        keys = (key for frame in frames for key in frame["key"])
        for batch in batches(keys, work):
            yield pandas.DataFrame(batch, columns=list(Row._fields))

    slices.toDF("key string").mapInPandas(run, COLUMNS).write.parquet(work.output)
    session.stop()


if __name__ == "__main__":
    main(sys.argv[1])
