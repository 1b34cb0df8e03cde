"""From the spec's words to the source and the output: which kind each is, and where it is mounted."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from featx_api.job import JobSpec
from featx_api.spec import FeatureExtractionSpec

from featx_job import earlier, packages, packed, stores
from featx_job.delta import Committer
from featx_job.delta_table import DeltaTable, Snapshots
from featx_job.failures import RunFailure
from featx_job.hadoop import Hadoop
from featx_job.shards import ShardList, cut
from featx_job.sources import Listed, ObjectSource, listed
from featx_job.sources.bucket import BucketSource
from featx_job.sources.folder import FolderSource
from featx_job.sources.hadoop import HadoopSource
from featx_job.sources.hbase import TableSource
from featx_job.storage import Storage
from featx_job.storage.bucket import BucketStorage
from featx_job.storage.folder import FolderStorage
from featx_job.storage.hadoop import HadoopStorage
from featx_job.surroundings import Surroundings
from featx_job.table import Table

LOG = logging.getLogger(__name__)


def source(spec: FeatureExtractionSpec, surroundings: Surroundings, hadoop: Hadoop) -> ObjectSource | TableSource:
    """Returns where images are listed.

    Args:
        spec: The run's.
        surroundings: Where it runs.
        hadoop: Reaches HDFS and HBase.

    Raises:
        RunFailure: SourceNotFound, or what keeps the store from being reached.
    """
    if spec.source.s3:
        access = spec.source.s3
        client = stores.client(access, "spec.source.s3", surroundings.secrets, dict(os.environ))
        return BucketSource(client, access, spec.execution.store_timeout_seconds)
    if spec.source.claim:
        folder = surroundings.claims / spec.source.claim.name / spec.source.claim.path.strip("/")
        return FolderSource(folder, "spec.source.claim")
    if spec.source.hbase:
        return TableSource(hadoop, spec.source.hbase, spec.output.uri)
    assert spec.source.files is not None
    uri, field = spec.source.files.uri, "spec.source.files.uri"
    if uri.startswith("hdfs://"):
        return HadoopSource(hadoop, uri)
    if uri.startswith(packages.SCHEME):
        if surroundings.cluster:
            message = f"{field}: {uri} is for `featx run` only: upload the images to a store or a volume"
            raise RunFailure("SourceNotSupported", message)
        return FolderSource(packages.fetch(uri, field), field)
    return FolderSource(Path(uri.removeprefix("file://")), field)


def shards(spec: FeatureExtractionSpec, surroundings: Surroundings, hadoop: Hadoop) -> ShardList:
    """Returns the shards that a source is cut into.

    Args:
        spec: The run's.
        surroundings: Where it runs.
        hadoop: Reaches HDFS and HBase.

    Raises:
        RunFailure: SourceNotFound, or what keeps the store from being reached.
    """
    found = source(spec, surroundings, hadoop)
    before: list[ShardList] = []
    if tables := _earlier_tables(spec, surroundings, hadoop):
        before = earlier.lists(tables)
    if isinstance(found, TableSource):
        planned, since = int(time.time() * 1000), earlier.planned(before, found.base)
        return found.shards(spec.execution.shard_images, spec.source.keys, planned, since)
    of_table = spec.source.packed is not None and spec.source.packed.format == "delta"
    objects = _delta_files(spec, found, hadoop) if of_table else listed(found, spec.source.keys)
    if before:
        objects = earlier.changed(objects, earlier.versions(before, found.base))
    if spec.source.packed:
        return packed.cut(found.base, objects, spec.source.packed)
    return cut(found.base, objects, spec.execution.shard_images)


def _earlier_tables(spec: FeatureExtractionSpec, surroundings: Surroundings, hadoop: Hadoop) -> Storage | None:
    """Returns where the tables are whose images are left out unless they have changed."""
    if spec.source.changed_since:
        return _storage(spec.source.changed_since, "spec.source.changedSince", spec, surroundings, hadoop)
    if spec.output.mode == "incremental" and not spec.source.keys:
        return _storage(spec.output.uri, "spec.output.uri", spec, surroundings, hadoop)
    return None


def _delta_files(spec: FeatureExtractionSpec, source: ObjectSource, hadoop: Hadoop) -> Iterator[Listed]:
    """Yields the files that a Delta table's newest version is made of."""
    folder = f"{spec.source.s3.prefix.strip('/')}/" if spec.source.s3 else ""
    table = hadoop.delta_table(source.base + folder.rstrip("/"))
    for path, size, modified in sorted(json.loads(hadoop.asking("spec.source", table.files))):
        yield Listed(folder + path, size, str(modified))


def forget(spec: FeatureExtractionSpec, hadoop: Hadoop) -> None:
    """Removes what a run that has succeeded has left in its source's store; if that can't be done, the log says so.

    Args:
        spec: The run's.
        hadoop: Reaches HBase's files.
    """
    if spec.source.hbase and spec.source.hbase.snapshot:
        try:
            TableSource(hadoop, spec.source.hbase, spec.output.uri).forget()
        except RunFailure as failure:
            LOG.warning("links to a snapshot's files are left behind: %s", failure)


def table(job: JobSpec, surroundings: Surroundings, hadoop: Hadoop) -> Table:
    """Returns the run's table.

    Args:
        job: The run.
        surroundings: Where it runs.
        hadoop: Reaches HDFS, and reads logs of Delta tables.

    Raises:
        RunFailure: OutputNotWritable, or what keeps the store from being reached.
    """
    storage, uri = output(job.spec, surroundings, hadoop), job.spec.output.uri.rstrip("/")
    if job.spec.output.format == "parquet":
        return Table(storage, job.uid, uri)

    def ask(question: Callable[[Snapshots], Any]) -> Any:
        return hadoop.asking("spec.output.uri", lambda: question(hadoop.delta_table(storage.hadoop_uri)))

    by = Committer(job.uid, job.name, f"featx/{version('featx')}")
    nets = earlier.nets(job.spec) if job.spec.output.mode == "incremental" else None
    return DeltaTable(storage, by, uri, nets, ask)


def output(spec: FeatureExtractionSpec, surroundings: Surroundings, hadoop: Hadoop) -> Storage:
    """Returns where the table goes.

    Args:
        spec: The run's.
        surroundings: Where it runs.
        hadoop: Reaches HDFS.

    Raises:
        RunFailure: OutputNotWritable, or what keeps the store from being reached.
    """
    storage = _storage(spec.output.uri, "spec.output.uri", spec, surroundings, hadoop)
    storage.make()
    return storage


def _storage(uri: str, field: str, spec: FeatureExtractionSpec, surroundings: Surroundings, hadoop: Hadoop) -> Storage:
    if uri.startswith("s3://"):
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        access = spec.store_of(spec.output.s3)
        where = "spec.output.s3" if spec.output.s3 else "spec.source.s3"
        client = stores.client(access, where, surroundings.secrets, dict(os.environ))
        return BucketStorage(client, access, where, bucket, prefix, spec.execution.store_timeout_seconds)
    if uri.startswith("hdfs://"):
        return HadoopStorage(hadoop, uri)
    if uri.startswith("claim://"):
        claim, _, path = uri.removeprefix("claim://").partition("/")
        return FolderStorage(surroundings.claims / claim / path.strip("/"), field)
    return FolderStorage(Path(uri.removeprefix("file://").rstrip("/")), field)
