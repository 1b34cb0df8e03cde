"""Opens the table that a spec names: which format it has, and which store it is in."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from featx_api.contract import JobSpec
from featx_api.spec import FeatureExtractionSpec

from featx_job.clients import s3
from featx_job.clients.hadoop import Hadoop
from featx_job.environment import Environment
from featx_job.table import earlier_runs
from featx_job.table.delta_log import Committer
from featx_job.table.delta_table import DeltaTable, Snapshots
from featx_job.table.parquet_table import Table
from featx_job.table.storage import Storage
from featx_job.table.storage.hdfs import HadoopStorage
from featx_job.table.storage.local import LocalStorage
from featx_job.table.storage.s3 import BucketStorage


def open_table(job: JobSpec, environment: Environment, hadoop: Hadoop) -> Table:
    """Returns the table that a run writes.

    Args:
        job: The run.
        environment: Where it runs.
        hadoop: Reaches HDFS, and reads logs of Delta tables.

    Raises:
        RunFailure: OutputNotWritable, or what keeps the store from being reached.
    """
    storage, uri = open_output(job.spec, environment, hadoop), job.spec.output.uri.rstrip("/")
    if job.spec.output.format == "parquet":
        return Table(storage, job.uid, uri)

    def ask(question: Callable[[Snapshots], Any]) -> Any:
        return hadoop.asking("spec.output.uri", lambda: question(hadoop.delta_table(storage.hadoop_uri)))

    by = Committer(job.uid, job.name, f"featx/{version('featx')}")
    nets = earlier_runs.nets(job.spec) if job.spec.output.mode == "incremental" else None
    return DeltaTable(storage, by, uri, nets, ask)


def open_output(spec: FeatureExtractionSpec, environment: Environment, hadoop: Hadoop) -> Storage:
    """Returns the files below the output's address, after creating its folder.

    Args:
        spec: The run's.
        environment: Where it runs.
        hadoop: Reaches HDFS.

    Raises:
        RunFailure: OutputNotWritable, or what keeps the store from being reached.
    """
    storage = open_storage(spec.output.uri, "spec.output.uri", spec, environment, hadoop)
    storage.make()
    return storage


def open_storage(
    uri: str, field: str, spec: FeatureExtractionSpec, environment: Environment, hadoop: Hadoop
) -> Storage:
    """Returns the files below an address.

    Args:
        uri: The address.
        field: Its field in the spec, for errors.
        spec: The run's.
        environment: Where it runs.
        hadoop: Reaches HDFS.

    Raises:
        RunFailure: What keeps the store from being reached.
    """
    if uri.startswith("s3://"):
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        access = spec.store_of(spec.output.s3)
        where = "spec.output.s3" if spec.output.s3 else "spec.source.s3"
        client = s3.client(access, where, environment.secrets, dict(os.environ))
        return BucketStorage(client, access, where, bucket, prefix, spec.execution.store_timeout_seconds)
    if uri.startswith("hdfs://"):
        return HadoopStorage(hadoop, uri)
    if uri.startswith("claim://"):
        claim, _, path = uri.removeprefix("claim://").partition("/")
        return LocalStorage(environment.claims / claim / path.strip("/"), field)
    return LocalStorage(Path(uri.removeprefix("file://").rstrip("/")), field)
