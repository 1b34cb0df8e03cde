"""What earlier tables were made of, so that a run does only what is new or has changed since.

A run's shard list stays beside its table, with the version of each object as it was listed. That is all that is needed,
and holds the images that ended in quarantine too: what is broken is not tried again until it changes. Of a table that
is updated again and again, each run's list stays.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from featx_api.spec import FeatureExtractionSpec

from featx_job.failures import RunFailure
from featx_job.source.objects import SourceObject
from featx_job.source.packed_files import PackedShards
from featx_job.source.shards import ObjectShards, RangeShards, ShardList, from_bytes
from featx_job.table.parquet_table import OWN_MANIFEST, SHARD_LIST
from featx_job.table.storage import Storage

CLOCKS_DIFFER = 5 * 60 * 1000

LOG = logging.getLogger(__name__)


def lists(tables: Storage) -> list[ShardList]:
    """Returns the shard lists of finished runs, the newest last.

    Args:
        tables: A table, or a folder of tables.
    """
    finished = []
    for file in tables.files(""):
        folder, _, name = file.path.rpartition("/")
        if name == OWN_MANIFEST and folder.rpartition("/")[0].endswith("_featx"):
            manifest = json.loads(tables.read(file.path) or b"{}")
            finished.append((manifest["completionTime"], f"{folder}/{SHARD_LIST}"))
    stored = [tables.read(path) for _, path in sorted(finished)]
    LOG.info("%d earlier runs", len(stored))
    return [from_bytes(data) for data in stored if data is not None]


def nets(spec: FeatureExtractionSpec) -> dict[str, Any]:
    """Returns what features are made by: rows of one table can be compared if it is the same for all.

    Args:
        spec: The run's.
    """
    return _nets(spec.detector.to_wire() if spec.detector else None, spec.extractor.to_wire())


def _nets(detector: Mapping[str, Any] | None, extractor: Mapping[str, Any]) -> dict[str, Any]:
    def of(net: Mapping[str, Any]) -> dict[str, Any]:
        told = {name: value for name, value in net.items() if name != "length"}
        return told | {"model": net["model"]["sha256"]}  # wherever it was fetched from

    return {"detector": of(detector) if detector else None, "extractor": of(extractor)}


def refuse_other_nets(manifest: Mapping[str, Any], mine: Mapping[str, Any], uri: str) -> None:
    """Refuses to add rows to a table that other nets have made.

    Args:
        manifest: Of the table.
        mine: What `nets` returns of the run.
        uri: The table's address in the user's words.

    Raises:
        RunFailure: OutputExists, with what differs.
    """
    theirs = _nets(manifest["detector"], manifest["extractor"])
    different = [f"spec.{name}" for name in mine if mine[name] != theirs[name]]
    if different:
        owner = f"{manifest.get('namespace')}/{manifest.get('name')}"
        message = f"spec.output.uri: the table at {uri} was made by {owner} with another {' and '.join(different)}"
        raise RunFailure("OutputExists", f"{message}: choose another address, or use the same nets")


def versions(before: Iterable[ShardList], base: str) -> dict[str, str]:
    """Returns the version of each object that a table was made of, by its key; of several tables the newest counts.

    Args:
        before: Shard lists, the newest last.
        base: What stands before the source's keys; tables of other sources do not count.
    """
    known: dict[str, str] = {}
    for shards in before:
        if isinstance(shards, ObjectShards | PackedShards) and shards.base == base:
            known.update((each.key, each.version) for each in shards.files())
    LOG.info("%d objects are in earlier tables", len(known))
    return known


def planned(before: Iterable[ShardList], base: str) -> int:
    """Returns from when on cells of a table are new, in milliseconds; 0 if no earlier table was made of it.

    That is some minutes before the newest run was planned: a cell's time is that of a server's clock, or of its
    writer's, and a row that is read twice is only newer in the later table.

    Args:
        before: Shard lists.
        base: What tells the table from others.
    """
    times = [shards.planned for shards in before if isinstance(shards, RangeShards) and shards.base == base]
    return max(0, max(times, default=0) - CLOCKS_DIFFER)


def changed(objects: Iterable[SourceObject], known: dict[str, str]) -> Iterator[SourceObject]:
    """Yields the objects that earlier tables don't have, or had in another version."""
    return (each for each in objects if not each.version or known.get(each.key) != each.version)
