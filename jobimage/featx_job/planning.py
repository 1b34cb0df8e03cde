"""Plans a run's shards: the images of its source, without those that earlier tables have."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

from featx_api.spec import FeatureExtractionSpec

from featx_job.clients.hadoop import Hadoop
from featx_job.environment import Environment
from featx_job.source import packed_files
from featx_job.source.hbase import HBaseTableSource
from featx_job.source.objects import ObjectSource, SourceObject, select
from featx_job.source.open import open_source
from featx_job.source.packed_files import PackedShards
from featx_job.source.shards import ShardList, split_objects
from featx_job.table import earlier_runs
from featx_job.table.open import open_storage
from featx_job.table.storage import Storage

MEBIBYTE = 1024 * 1024


def plan_shards(spec: FeatureExtractionSpec, environment: Environment, hadoop: Hadoop) -> ShardList:
    """Return the shards of a run: all of its source, or only what earlier tables do not have.

    Args:
        spec: The run's.
        environment: Where it runs.
        hadoop: Connection to HDFS and HBase.

    Raises:
        RunFailure: SourceNotFound, or why the store can't be reached.
    """
    source = open_source(spec, environment, hadoop)
    before: list[ShardList] = []
    if tables := _earlier_tables(spec, environment, hadoop):
        before = earlier_runs.shard_lists(tables)
    if isinstance(source, HBaseTableSource):
        planned, since = int(time.time() * 1000), earlier_runs.cells_since(before, source.base)
        return source.shards(spec.execution.shard_images, spec.source.keys, planned, since)
    of_table = spec.source.packed is not None and spec.source.packed.format == "delta"
    objects = _delta_files(spec, source, hadoop) if of_table else select(source, spec.source.keys)
    if before:
        objects = earlier_runs.changed(objects, earlier_runs.known_versions(before, source.base))
    if spec.source.packed:
        shards = packed_files.group_files(source.base, objects, spec.source.packed, only_changed=bool(before))
        _check_files(spec, shards, hadoop)
        return shards
    return split_objects(source.base, objects, spec.execution.shard_images)


def _check_files(spec: FeatureExtractionSpec, shards: PackedShards, hadoop: Hadoop) -> None:
    """Refuse a source whose first, middle and last file all have another form, before anything is computed."""
    if len(shards):
        line, limit = shards.check_line(), spec.limits.mebibytes * MEBIBYTE
        hadoop.with_retry("spec.source.packed", lambda: hadoop.packed_files().check(line, limit))


def _earlier_tables(spec: FeatureExtractionSpec, environment: Environment, hadoop: Hadoop) -> Storage | None:
    """Return the storage of earlier tables, whose images are skipped unless they changed; None without."""
    if spec.source.changed_since:
        return open_storage(spec.source.changed_since, "spec.source.changedSince", spec, environment, hadoop)
    if spec.output.mode == "incremental" and not spec.source.keys:
        return open_storage(spec.output.uri, "spec.output.uri", spec, environment, hadoop)
    return None


def _delta_files(spec: FeatureExtractionSpec, source: ObjectSource, hadoop: Hadoop) -> Iterator[SourceObject]:
    """Yield the files of a Delta table's newest version."""
    folder = f"{spec.source.s3.prefix.strip('/')}/" if spec.source.s3 else ""
    table = hadoop.delta_table(source.base + folder.rstrip("/"))
    for path, size, modified in sorted(json.loads(hadoop.with_retry("spec.source", table.files))):
        yield SourceObject(folder + path, size, str(modified))
