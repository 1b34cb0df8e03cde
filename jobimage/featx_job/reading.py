"""Reads a source and does nothing with it: whether it can be listed and read, and how fast, before any net is run."""

from __future__ import annotations

import time
from typing import NamedTuple

from featx_api.job import JobSpec

from featx_job import memory, places, spark
from featx_job.engine import Engine
from featx_job.hadoop import Hadoop
from featx_job.storage.folder import FolderStorage
from featx_job.surroundings import Surroundings
from featx_job.table import Table


class Reading(NamedTuple):
    """What was read.

    Attributes:
        shards: How many the source was cut into.
        planning: Seconds to list the source and cut it.
        images: How many were read.
        bytes: Of all that were read.
        unreadable: How many could not be read.
        seconds: From the first shard's start to the last one's end.
    """

    shards: int
    planning: float
    images: int
    bytes: int
    unreadable: int
    seconds: float


def read(job: JobSpec, surroundings: Surroundings) -> Reading:
    """Reads a job's source.

    Args:
        job: Its source, limits and execution count.
        surroundings: Where that is done.

    Raises:
        RunFailure: The source can't be reached, listed or read.
    """
    execution = job.spec.execution
    sizes = memory.sizes((), job.spec, spark.threads(job, surroundings))
    conf = spark.conf(job, surroundings, sizes)
    hadoop = Hadoop(lambda: conf, execution.store_timeout_seconds)
    started = time.monotonic()
    shards = places.shards(job.spec, surroundings, hadoop)
    planning = time.monotonic() - started
    if not len(shards):
        return Reading(0, planning, 0, 0, 0, 0.0)
    nowhere = Table(FolderStorage(surroundings.work / "nowhere", "spec.output.uri"), job.uid, "")
    with Engine(job, surroundings, sizes, conf) as engine:
        found = engine.read(shards, nowhere)
    return Reading(
        len(shards), planning, found["images"], found["bytes"], found["unreadable"], round(found["seconds"], 3)
    )
