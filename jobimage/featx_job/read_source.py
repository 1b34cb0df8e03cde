"""Reads a source without running nets, to check that it is readable and measure how fast."""

from __future__ import annotations

import time
from typing import NamedTuple

from featx_api.contract import JobSpec

from featx_job.clients.hadoop import Hadoop
from featx_job.environment import Environment
from featx_job.local_files import on_this_machine
from featx_job.planning import plan_shards
from featx_job.source.shard_list import Work
from featx_job.spark import memory, settings
from featx_job.spark.session import Session
from featx_job.table.run_lists import RunLists
from featx_job.table.storage.local import LocalStorage


class Reading(NamedTuple):
    """Counts and times.

    Attributes:
        shards: Number of shards of the source.
        listing: Seconds to list the source and split it.
        images: Number of images that were read.
        bytes: Their size.
        unreadable: Number of images that could not be read.
        seconds: From the start of the first shard to the end of the last.
    """

    shards: int
    listing: float
    images: int
    bytes: int
    unreadable: int
    seconds: float


def read(job: JobSpec, environment: Environment) -> Reading:
    """Read a job's source.

    Args:
        job: The job; its source, limits and execution are used.
        environment: Where it is read.

    Raises:
        RunFailure: The source can't be reached, listed or read.
    """
    execution = job.spec.execution
    sizes = memory.sizes((), job.spec, settings.threads(job, environment))
    conf = settings.conf(job, environment, sizes)
    hadoop = Hadoop(lambda: conf, execution.store_timeout_seconds)
    started = time.monotonic()
    lists = RunLists(LocalStorage(on_this_machine(environment.work, "the work folder")), "read")
    shards = plan_shards(job.spec, environment, hadoop, lists)
    while not shards.complete:
        shards.plan(Work(0.0, 1))
    listing = time.monotonic() - started
    if not len(shards):
        return Reading(0, listing, 0, 0, 0, 0.0)
    with Session(job, environment, sizes, conf) as session:
        result = session.read(shards)
    return Reading(len(shards), listing, result.images, result.bytes, result.unreadable, round(result.seconds, 3))
