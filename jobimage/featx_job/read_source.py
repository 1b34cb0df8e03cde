"""Reads a source and does nothing with it: whether it can be listed and read, and how fast, before any net is run."""

from __future__ import annotations

import time
from typing import NamedTuple

from featx_api.contract import JobSpec

from featx_job.clients.hadoop import Hadoop
from featx_job.environment import Environment
from featx_job.planning import plan_shards
from featx_job.spark import memory, settings
from featx_job.spark.session import Session
from featx_job.table.parquet_table import Table
from featx_job.table.storage.local import LocalStorage


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


def read(job: JobSpec, environment: Environment) -> Reading:
    """Reads a job's source.

    Args:
        job: Its source, limits and execution count.
        environment: Where that is done.

    Raises:
        RunFailure: The source can't be reached, listed or read.
    """
    execution = job.spec.execution
    sizes = memory.sizes((), job.spec, settings.threads(job, environment))
    conf = settings.conf(job, environment, sizes)
    hadoop = Hadoop(lambda: conf, execution.store_timeout_seconds)
    started = time.monotonic()
    shards = plan_shards(job.spec, environment, hadoop)
    planning = time.monotonic() - started
    if not len(shards):
        return Reading(0, planning, 0, 0, 0, 0.0)
    nowhere = Table(LocalStorage(environment.work / "nowhere", "spec.output.uri"), job.uid, "")
    with Session(job, environment, sizes, conf) as session:
        found = session.read(shards, nowhere)
    return Reading(
        len(shards), planning, found["images"], found["bytes"], found["unreadable"], round(found["seconds"], 3)
    )
