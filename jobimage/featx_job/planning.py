"""Plans a run's shards: the images of its source, without those that earlier tables have."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import replace

from featx_api.spec import FeatureExtractionSpec

from featx_job.clients.hadoop import Hadoop
from featx_job.environment import Environment
from featx_job.source import keys, packed_files
from featx_job.source.hbase import HBaseTableSource
from featx_job.source.objects import ObjectSource, SourceObject, with_keys
from featx_job.source.open import open_source
from featx_job.source.selection import Selection, Skipped, selected
from featx_job.source.shards import ShardList, split_objects
from featx_job.table import earlier_runs
from featx_job.table.open import open_storage
from featx_job.table.storage import Storage

LOG = logging.getLogger(__name__)


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
    skipped = Skipped()
    files = _files(spec, source, hadoop, skipped)
    if skipped.total and not files:
        raise skipped.to_failure(source.field, source.address)
    LOG.info("%d files were left out: %s", skipped.total, dict(skipped.counts))
    if before:
        files = list(earlier_runs.changed(files, earlier_runs.known_versions(before, source.base)))
    if spec.source.packed:
        return replace(packed_files.group_files(source.base, files, spec.source.packed), skipped=skipped.counts)
    return split_objects(source.base, files, spec.execution.shard_images, skipped.counts)


def _files(spec: FeatureExtractionSpec, source: ObjectSource, hadoop: Hadoop, skipped: Skipped) -> list[SourceObject]:
    """Return the files that the spec selects, and count the others."""
    packed = spec.source.packed
    if packed and packed.format == "delta":
        return list(_delta_files(spec, source, hadoop))
    if spec.source.keys:
        return list(with_keys(source, spec.source.keys))
    selection = Selection(tuple(spec.source.include), tuple(spec.source.exclude), source.root)
    listed = source.objects(in_hidden_folders=selection.opens_hidden_folders)
    files = list(selected(listed, selection, skipped))
    if packed is None:
        return files
    of_format = list(packed_files.group_files(source.base, files, packed).files())
    for key in {file.key for file in files} - {file.key for file in of_format}:
        skipped.add(key, "otherFormat")
    return of_format


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
        yield SourceObject(keys.from_text(folder + path), size, str(modified))
