"""What earlier runs have processed, so that a run does only what is new or has changed since.

A run's shard list stays beside its table, with the version of each object as it was listed. Nothing else is needed.
The list includes images that ended in quarantine: broken ones are not retried until they change. For a table that is
updated repeatedly, each run's list stays.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from featx_api.failures import FailureClass
from featx_api.spec import FeatureExtractionSpec

from featx_job import stored_json
from featx_job.failures import RunFailure
from featx_job.source.objects import SourceObject
from featx_job.source.packed_files import PackedShards
from featx_job.source.shards import ObjectShards, RangeShards, ShardList, from_bytes
from featx_job.table.run_files import MANIFEST_VERSION, RUN_MANIFEST, RUNS, SHARD_LIST
from featx_job.table.storage import Storage

CLOCK_SKEW = 5 * 60 * 1000  # milliseconds

LOG = logging.getLogger(__name__)


def shard_lists(tables: Storage) -> list[ShardList]:
    """Return the shard lists of finished runs, newest last.

    Args:
        tables: A table, or a folder of tables.
    """
    finished = []
    for file in tables.files(""):
        folder, _, name = file.path.rpartition("/")
        if name == RUN_MANIFEST and folder.rpartition("/")[0].endswith(RUNS):
            manifest = stored_json.from_bytes(tables.read(file.path) or b"{}", MANIFEST_VERSION, file.path)
            finished.append((manifest["completionTime"], f"{folder}/{SHARD_LIST}"))
    stored = [tables.read(path) for _, path in sorted(finished)]
    LOG.info("%d earlier runs", len(stored))
    return [from_bytes(data) for data in stored if data is not None]


def identify_nets(spec: FeatureExtractionSpec) -> dict[str, Any]:
    """Return what identifies a run's nets. Rows can only be compared, and share a table, if it is equal.

    Args:
        spec: The run's spec.
    """
    return _identify(spec.detector.to_wire() if spec.detector else None, spec.extractor.to_wire())


def _identify(detector: Mapping[str, Any] | None, extractor: Mapping[str, Any]) -> dict[str, Any]:
    def identity(net: Mapping[str, Any]) -> dict[str, Any]:
        settings = {name: value for name, value in net.items() if name != "length"}
        return settings | {"model": net["model"]["sha256"]}  # the file's origin is irrelevant

    return {"detector": identity(detector) if detector else None, "extractor": identity(extractor)}


def refuse_other_nets(manifest: Mapping[str, Any], nets: Mapping[str, Any], uri: str) -> None:
    """Refuse to add rows to a table that was computed with other nets.

    Args:
        manifest: The table's manifest.
        nets: `identify_nets` of the run.
        uri: The table's address as the user wrote it.

    Raises:
        RunFailure: OutputExists, naming the difference.
    """
    table_nets = _identify(manifest["detector"], manifest["extractor"])
    different = [f"spec.{name}" for name in nets if nets[name] != table_nets[name]]
    if different:
        owner = f"{manifest.get('namespace')}/{manifest.get('name')}"
        message = f"spec.output.uri: {owner} wrote the table at {uri} with a different {' and '.join(different)}"
        raise RunFailure(FailureClass.OUTPUT_EXISTS, f"{message}; choose another address, or use the same models")


def known_versions(earlier: Iterable[ShardList], base: str) -> dict[str, str]:
    """Return the version of each object that earlier runs have processed, by key; the newest run counts.

    Args:
        earlier: Shard lists, newest last.
        base: Prefix of the source's keys; runs over other sources are ignored.
    """
    known: dict[str, str] = {}
    for shards in earlier:
        if isinstance(shards, PackedShards) and shards.keys:
            continue  # of its files only some images were read
        if isinstance(shards, ObjectShards | PackedShards) and shards.base == base:
            known.update((file.key, file.version) for file in shards.files())
    LOG.info("%d objects are in earlier tables", len(known))
    return known


def cells_since(earlier: Iterable[ShardList], base: str) -> int:
    """Return the time, in milliseconds, from which cells of an HBase table count as new; 0 if no run has read it.

    This is some minutes before the newest run was planned, because a cell's timestamp comes from another clock, a
    server's or its writer's. A row that is read twice is merely newer in the later table.

    Args:
        earlier: Shard lists.
        base: Identifies the HBase table.
    """
    times = [shards.planned for shards in earlier if isinstance(shards, RangeShards) and shards.base == base]
    return max(0, max(times, default=0) - CLOCK_SKEW)


def changed(objects: Iterable[SourceObject], known: dict[str, str]) -> Iterator[SourceObject]:
    """Yield the objects that earlier runs have not processed, or in another version."""
    return (file for file in objects if not file.version or known.get(file.key) != file.version)
