"""Plans a run's shards: the images of its source, without those that earlier tables have."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from featx_api.source import Packed
from featx_api.spec import FeatureExtractionSpec

from featx_job.clients.hadoop import Hadoop
from featx_job.environment import Environment
from featx_job.failures import RunFailure
from featx_job.source import carried_columns, keys, packed_files
from featx_job.source.hbase import HBaseTableSource
from featx_job.source.objects import ObjectSource, SourceObject, with_keys
from featx_job.source.open import open_source
from featx_job.source.packed_files import PackedShards
from featx_job.source.selection import Selection, Skipped, selected
from featx_job.source.shards import ObjectShards, RangeShards, ShardList, split_objects
from featx_job.table import earlier_runs
from featx_job.table.open import open_storage
from featx_job.table.storage import Storage

MEBIBYTE = 1024 * 1024
LOG = logging.getLogger(__name__)
LISTED_AGAIN = 1_000_000  # files, which take some seconds


def plan_shards(spec: FeatureExtractionSpec, environment: Environment, hadoop: Hadoop) -> ShardList:
    """Return the shards of a run: all of its source, or only what earlier tables do not have.

    Args:
        spec: The run's.
        environment: Where it runs.
        hadoop: Connection to HDFS and HBase.

    Raises:
        RunFailure: SourceNotFound, or why the store can't be reached.
    """
    shards, is_whole = list_shards(spec, environment, hadoop)
    if isinstance(shards, PackedShards):
        _check_files(spec, environment, shards, hadoop)
        if spec.source.packed and is_whole:  # the few files of an update need not have each column that others have
            carried_columns.check(spec.source.packed, shards, partial(_columns, spec, hadoop))
    return shards


def list_shards(spec: FeatureExtractionSpec, environment: Environment, hadoop: Hadoop) -> tuple[ShardList, bool]:
    """Return the shards of a run without opening a file, and whether they have all files of the source.

    Arguments and failures are those of `plan_shards`.
    """
    source = open_source(spec, environment, hadoop)
    before: list[ShardList] = []
    if tables := _earlier_tables(spec, environment, hadoop):
        before = earlier_runs.shard_lists(tables)
    if isinstance(source, HBaseTableSource):
        planned, since = int(time.time() * 1000), earlier_runs.cells_since(before, source.base)
        return source.shards(spec.execution.shard_images, spec.source.keys, planned, since), False
    if spec.source.packed and spec.source.keys:
        return _selected_images(spec, spec.source.packed, source, hadoop), False
    skipped = Skipped()
    files = _files(spec, source, hadoop, skipped)
    if not files and (spec.reads_everything or (skipped.total and not before)):
        raise skipped.to_failure(source.field, source.address, spec.source.packed)
    if skipped.total:
        LOG.info("%d files were left out: %s", skipped.total, dict(skipped.counts))
    if before:
        files = list(earlier_runs.changed(files, earlier_runs.known_versions(before, source.base)))
    if spec.source.packed:
        packed = packed_files.group_files(source.base, files, spec.source.packed)
        return replace(packed, skipped=skipped.counts), not before
    return split_objects(source.base, files, spec.execution.shard_images, skipped.counts), not before


def _selected_images(spec: FeatureExtractionSpec, packed: Packed, source: ObjectSource, hadoop: Hadoop) -> PackedShards:
    """Return the shards of the images that the spec names, in whatever files they are."""
    files = _delta_files(spec, source, hadoop) if packed.format == "delta" else source.objects(in_hidden_folders=True)
    return packed_files.group_keys(source.base, files, packed, spec.source.keys)


def _files(spec: FeatureExtractionSpec, source: ObjectSource, hadoop: Hadoop, skipped: Skipped) -> list[SourceObject]:
    """Return the files that the spec selects, and count the others."""
    packed = spec.source.packed
    if packed and packed.format == "delta":
        return list(_delta_files(spec, source, hadoop))
    if spec.source.keys:
        return list(with_keys(source, spec.source.keys))
    if spec.source.key_list:
        return list(source.objects())
    selection = Selection(tuple(spec.source.include), tuple(spec.source.exclude), source.root)
    listed = list(source.objects(in_hidden_folders=selection.opens_hidden_folders))
    files = list(selected(listed, selection, skipped))
    if packed is None:
        return files
    logs = [file for file in listed if packed_files.DELTA_LOG in file.key.split("/")]  # hidden, but refused there
    of_format = list(packed_files.group_files(source.base, [*logs, *files], packed).files())
    for key in {file.key for file in files} - {file.key for file in of_format}:
        skipped.add(key, "otherFormat")
    return of_format


class SourceChanges(NamedTuple):
    """What happened to a source while a run read it.

    Attributes:
        added: Number of files that came after the source was listed, and are not in the table.
        removed: Number of files that are gone. Those that were gone when they were to be read are in quarantine.
        changed: Number of files with another version. The run may have read either.
    """

    added: int
    removed: int
    changed: int


def changes(
    spec: FeatureExtractionSpec, environment: Environment, hadoop: Hadoop, shards: ShardList, output: str
) -> SourceChanges | None:
    """Return how a source differs from what the run has listed, or None if it is too large or can't be listed again.

    Args:
        spec: The run's.
        environment: Where it runs.
        hadoop: Connection to HDFS.
        shards: The run's, of all files of its source.
        output: Address of the run's output as executors see it, which may be below the source.
    """
    since = spec.source.changed_since or spec.output.mode == "incremental"
    is_given = spec.source.keys or spec.source.key_list or (spec.source.s3 and spec.source.s3.inventory)
    if since or is_given or isinstance(shards, RangeShards) or not len(shards):
        return None
    assert isinstance(shards, ObjectShards | PackedShards)
    before = {file.key: file.version for file in shards.files()}
    if len(before) > LISTED_AGAIN:
        return None
    try:
        source = open_source(spec, environment, hadoop)
        assert not isinstance(source, HBaseTableSource)
        files = _files(spec, source, hadoop, Skipped())
    except RunFailure as failure:
        LOG.warning("could not list the source again: %s", failure)
        return None
    after = {file.key: file.version for file in files if not f"{source.base}{file.key}".startswith(f"{output}/")}
    changed = sum(1 for key in before.keys() & after.keys() if before[key] != after[key])
    return SourceChanges(len(after.keys() - before.keys()), len(before.keys() - after.keys()), changed)


def _check_files(spec: FeatureExtractionSpec, environment: Environment, shards: PackedShards, hadoop: Hadoop) -> None:
    """Refuse a source whose first, middle and last file all have another form, before anything is computed."""
    if len(shards):
        line, limit = shards.check_line(), spec.limits.mebibytes * MEBIBYTE
        hosts = list(environment.url_hosts)
        hadoop.with_retry("spec.source.packed", lambda: hadoop.packed_files().check(line, limit, hosts))


def _columns(spec: FeatureExtractionSpec, hadoop: Hadoop, line: str, members: int, most: int) -> str | None:
    """Return the columns of a shard's files (dev.featx.source.PackedFiles)."""
    limit, field = spec.limits.mebibytes * MEBIBYTE, "spec.source.packed"
    names: str | None = hadoop.with_retry(field, lambda: hadoop.packed_files().columns(line, limit, members, most))
    return names


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
