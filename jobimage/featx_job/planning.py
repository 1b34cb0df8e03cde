"""Plans a run's shards: the images of its source, without those that earlier tables have."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple, Protocol

from featx_api.source import Packed
from featx_api.spec import FeatureExtractionSpec

from featx_job.clients.hadoop import Hadoop
from featx_job.environment import Environment
from featx_job.failures import RunFailure
from featx_job.listing import Listing
from featx_job.source import carried_columns, keys, packed_files, pieces
from featx_job.source.hbase import HBaseTableSource
from featx_job.source.listed_shards import FIRST_IMAGES, ListedShards, StageStore
from featx_job.source.listed_source import ListedSource
from featx_job.source.objects import ObjectSource, SourceObject, with_keys
from featx_job.source.open import open_source
from featx_job.source.packed_files import PackedShards
from featx_job.source.pieces import PIECE_OBJECTS, Pieces, PieceStore
from featx_job.source.selection import Selection, Skipped, selected
from featx_job.source.shards import ObjectShards, RangeShards, StoredShards, split_objects
from featx_job.table import earlier_runs
from featx_job.table.earlier_runs import EarlierList
from featx_job.table.open import open_storage
from featx_job.table.storage import Storage

if TYPE_CHECKING:
    import pyarrow as pa

MEBIBYTE = 1024 * 1024
LOG = logging.getLogger(__name__)
ORIGIN = "origin"  # of the run's list, if the spec names one
LISTED_AGAIN = 1_000_000  # files, which take some seconds


Shards = StoredShards | ListedShards


class Lists(PieceStore, StageStore, Protocol):
    """Where the list of a large source is kept."""


def plan_shards(spec: FeatureExtractionSpec, environment: Environment, hadoop: Hadoop, lists: Lists | None) -> Shards:
    """Return the shards of a run: all of its source, or only what earlier tables do not have.

    Args:
        spec: The run's.
        environment: Where it runs.
        hadoop: Connection to HDFS and HBase.
        lists: Keeps the list of a large source, or has it from an earlier attempt. Without it, only the first shards
            of such a source are planned.

    Raises:
        RunFailure: SourceNotFound, or why the store can't be reached.
    """
    shards, is_whole = list_shards(spec, environment, hadoop, lists)
    if isinstance(shards, PackedShards):
        _check_files(spec, environment, shards, hadoop)
        if spec.source.packed and is_whole:  # the few files of an update need not have each column that others have
            carried_columns.check(spec.source.packed, shards, partial(_columns, spec, hadoop))
    return shards


def check_source(spec: FeatureExtractionSpec, environment: Environment, hadoop: Hadoop) -> None:
    """List the source as far as its mistakes would show.

    Arguments and failures are those of `plan_shards`.
    """
    plan_shards(spec, environment, hadoop, None)


def list_shards(
    spec: FeatureExtractionSpec, environment: Environment, hadoop: Hadoop, lists: Lists | None
) -> tuple[Shards, bool]:
    """Return the shards of a run without opening a file, and whether they have all files of the source.

    Arguments and failures are those of `plan_shards`.
    """
    if lists and (listed := pieces.load(lists)) is not None:
        return ListedShards(listed, lists, spec.execution.shard_images), False
    source = open_source(spec, environment, hadoop)
    before: list[EarlierList] = []
    if tables := _earlier_tables(spec, environment, hadoop):
        before = earlier_runs.shard_lists(tables)
    if isinstance(source, HBaseTableSource):
        planned, since = int(time.time() * 1000), earlier_runs.cells_since(before, source.base)
        return source.shards(spec.execution.shard_images or FIRST_IMAGES, spec.source.keys, planned, since), False
    if spec.source.packed and spec.source.keys:
        return _selected_images(spec, spec.source.packed, source, hadoop), False
    if spec.source.packed:
        return _packed(spec, spec.source.packed, source, hadoop, before), not before
    return _objects(spec, source, before, lists), not before


def _packed(
    spec: FeatureExtractionSpec, packed: Packed, source: ObjectSource, hadoop: Hadoop, before: Sequence[EarlierList]
) -> PackedShards:
    skipped = Skipped()
    files = _packed_files(spec, packed, source, hadoop, skipped)
    _check_selection(spec, source, skipped, empty=not files, first_run=not before)
    changed = earlier_runs.changed(files, before, source.base) if before else files
    return replace(packed_files.group_files(source.base, changed, packed), skipped=skipped.counts)


def _objects(
    spec: FeatureExtractionSpec, source: ObjectSource, before: Sequence[EarlierList], lists: Lists | None
) -> ObjectShards | ListedShards:
    """Return the shards of listed objects, whose list goes on in the background if it is long."""
    listed = pieces.resumed(lists, source.base) if lists else None
    if isinstance(source, ListedSource):
        return _listed(spec, source, before, lists, listed)
    skipped = Skipped(Counter(listed.skipped if listed else ()))
    found = _selected(spec, source, skipped, listed.last_key() if listed else "")
    objects = earlier_runs.changed(found, before, source.base) if before else found
    if not listed:
        head = list(islice(objects, PIECE_OBJECTS))
        if len(head) < PIECE_OBJECTS or lists is None:
            _check_selection(spec, source, skipped, empty=not head, first_run=not before)
            return split_objects(source.base, head, spec.execution.shard_images or FIRST_IMAGES, skipped.counts)
        listed, objects = Pieces(lists, source.base), chain(head, objects)
    from featx_job.source import piece_tables  # takes half a second, which small sources need not wait

    return _begun(spec, lists, listed, piece_tables.of_objects(objects, PIECE_OBJECTS), skipped)


def _listed(
    spec: FeatureExtractionSpec,
    source: ListedSource,
    before: Sequence[EarlierList],
    lists: Lists | None,
    listed: Pieces | None,
) -> ObjectShards | ListedShards:
    """Return the shards of a list that the spec names: it has no order, so it is read again from its start."""
    from featx_job.source import piece_tables

    origin = lists.load(ORIGIN) if lists else None
    source.origin = None if origin is None else origin.decode()
    skipped = Skipped()
    if before:
        found = earlier_runs.changed(_selected(spec, source, skipped), before, source.base)
        tables = piece_tables.of_objects(found, PIECE_OBJECTS)
    else:
        batches = source.batches()
        if not spec.source.key_list:
            batches = piece_tables.select(batches, _selection(spec, source), skipped)
        tables = piece_tables.of_batches(batches, PIECE_OBJECTS)
    if not listed:
        first = next(tables)
        if len(first) < PIECE_OBJECTS or lists is None:
            head = piece_tables.objects_of(first)
            _check_selection(spec, source, skipped, empty=not head, first_run=not before)
            return split_objects(source.base, head, spec.execution.shard_images or FIRST_IMAGES, skipped.counts)
        if origin is None:
            lists.save(ORIGIN, (source.origin or source.address).encode())
        return _begun(spec, lists, Pieces(lists, source.base), chain([first], tables), skipped)
    return _begun(spec, lists, listed, islice(tables, len(listed) // PIECE_OBJECTS, None), skipped)


def _begun(
    spec: FeatureExtractionSpec, lists: Lists | None, listed: Pieces, tables: Iterator[pa.Table], skipped: Skipped
) -> ListedShards:
    assert lists
    listing = Listing(listed, tables, skipped)
    listing.start()
    return ListedShards(listed, lists, spec.execution.shard_images, listing)


def _check_selection(
    spec: FeatureExtractionSpec, source: ObjectSource, skipped: Skipped, *, empty: bool, first_run: bool
) -> None:
    """Refuse a source of which nothing is left."""
    if empty and (spec.reads_everything or (skipped.total and first_run)):
        raise skipped.to_failure(source.field, source.address, spec.source.packed)
    if skipped.total:
        LOG.info("%d files were left out: %s", skipped.total, dict(skipped.counts))


def _selected_images(spec: FeatureExtractionSpec, packed: Packed, source: ObjectSource, hadoop: Hadoop) -> PackedShards:
    """Return the shards of the images that the spec names, in whatever files they are."""
    files = _delta_files(spec, source, hadoop) if packed.format == "delta" else source.objects(in_hidden_folders=True)
    return packed_files.group_keys(source.base, files, packed, spec.source.keys)


def _selected(
    spec: FeatureExtractionSpec, source: ObjectSource, skipped: Skipped, after: str = ""
) -> Iterator[SourceObject]:
    """Yield the objects that the spec selects, and count the others.

    Args:
        spec: The run's.
        source: Its source.
        skipped: Counts.
        after: Key of an object after which to begin.
    """
    if spec.source.keys:
        found = with_keys(source, spec.source.keys)
        return (file for file in found if keys.to_bytes(file.key) > keys.to_bytes(after))
    if spec.source.key_list:
        return source.objects()
    selection = _selection(spec, source)
    listed = source.objects(in_hidden_folders=selection.opens_hidden_folders, after=after)
    return selected(listed, selection, skipped)


def _selection(spec: FeatureExtractionSpec, source: ObjectSource) -> Selection:
    return Selection(tuple(spec.source.include), tuple(spec.source.exclude), source.root)


def _packed_files(
    spec: FeatureExtractionSpec, packed: Packed, source: ObjectSource, hadoop: Hadoop, skipped: Skipped
) -> list[SourceObject]:
    """Return the packed files that the spec selects, and count the others."""
    if packed.format == "delta":
        return list(_delta_files(spec, source, hadoop))
    selection = _selection(spec, source)
    listed = list(source.objects(in_hidden_folders=selection.opens_hidden_folders))
    files = list(selected(listed, selection, skipped))
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
    spec: FeatureExtractionSpec, environment: Environment, hadoop: Hadoop, shards: Shards, output: str
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
    assert isinstance(shards, ObjectShards | PackedShards | ListedShards)
    if (shards.images or 0) > LISTED_AGAIN:
        return None
    before = {file.key: file.version for file in shards.files()}
    try:
        source = open_source(spec, environment, hadoop)
        assert not isinstance(source, HBaseTableSource)
        packed = spec.source.packed
        files = (
            _packed_files(spec, packed, source, hadoop, Skipped())
            if packed
            else list(islice(_selected(spec, source, Skipped()), LISTED_AGAIN + 1))
        )
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
