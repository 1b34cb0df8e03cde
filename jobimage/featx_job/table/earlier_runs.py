"""What earlier runs have processed, so that a run does only what is new or has changed since.

A run's shard list stays beside its table, with the version of each object as it was listed. Nothing else is needed.
The list includes images that ended in quarantine: broken ones are not retried until they change. For a table that is
updated repeatedly, each run's list stays.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from featx_api.failures import FailureClass
from featx_api.spec import FeatureExtractionSpec

from featx_job import stored_json
from featx_job.failures import RunFailure
from featx_job.source import keys, pieces
from featx_job.source.objects import SourceObject
from featx_job.source.packed_files import PackedShards
from featx_job.source.pieces import Pieces
from featx_job.source.shards import ObjectShards, RangeShards, StoredShards, from_bytes
from featx_job.table.run_files import MANIFEST_VERSION, RUN_MANIFEST, RUNS, SHARD_LIST
from featx_job.table.run_lists import RunLists
from featx_job.table.storage import Storage

CLOCK_SKEW = 5 * 60 * 1000  # milliseconds

LOG = logging.getLogger(__name__)

EarlierList = StoredShards | Pieces


def shard_lists(tables: Storage) -> list[EarlierList]:
    """Return what finished runs have listed, newest last.

    Args:
        tables: A table, or a folder of tables.
    """
    finished = []
    for file in tables.files(""):
        folder, _, name = file.path.rpartition("/")
        if name == RUN_MANIFEST and folder.rpartition("/")[0].endswith(RUNS):
            manifest = stored_json.from_bytes(tables.read(file.path) or b"{}", MANIFEST_VERSION, file.path)
            finished.append((manifest["completionTime"], folder))
    lists = [_list(tables, folder) for _, folder in sorted(finished)]
    LOG.info("%d earlier runs", len(lists))
    return [listed for listed in lists if listed is not None]


def _list(tables: Storage, folder: str) -> EarlierList | None:
    data = tables.read(f"{folder}/{SHARD_LIST}")
    return pieces.load(RunLists(tables, folder)) if data is None else from_bytes(data)


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


def cells_since(earlier: Iterable[EarlierList], base: str) -> int:
    """Return the time, in milliseconds, from which cells of an HBase table count as new; 0 if no run has read it.

    This is some minutes before the newest run was planned, because a cell's timestamp comes from another clock, a
    server's or its writer's. A row that is read twice is merely newer in the later table.

    Args:
        earlier: Shard lists.
        base: Identifies the HBase table.
    """
    times = [shards.planned for shards in earlier if isinstance(shards, RangeShards) and shards.base == base]
    return max(0, max(times, default=0) - CLOCK_SKEW)


def changed(objects: Iterable[SourceObject], earlier: Sequence[EarlierList], base: str) -> Iterator[SourceObject]:
    """Yield the objects that earlier runs have not processed, or in another version.

    Lists and listing have the same order, so they are read side by side and none is held. Only an inventory has its own
    order; then the versions of all earlier objects are.

    Args:
        objects: In the order in which their source lists them.
        earlier: What earlier runs have listed, newest last.
        base: Prefix of the source's keys; runs over other sources are ignored.
    """
    known = _KnownVersions([files for shards in earlier if (files := _files_of(shards, base)) is not None])
    return (file for file in objects if not file.version or known.version(file.key) != file.version)


def _files_of(shards: EarlierList, base: str) -> Callable[[], Iterable[SourceObject]] | None:
    """Return what reads the files that a run has processed as wholes, or None if it has read another source."""
    if isinstance(shards, PackedShards) and shards.keys:
        return None  # of its files only some images were read
    if isinstance(shards, ObjectShards | PackedShards | Pieces) and shards.base == base:
        return shards.files
    return None


class _KnownVersions:
    """The newest version of each object of several lists, for keys that are asked for in their order."""

    def __init__(self, lists: Sequence[Callable[[], Iterable[SourceObject]]]) -> None:
        self._lists = lists
        self._ordered = True
        streams = (self._stream(age, files) for age, files in enumerate(reversed(lists)))
        self._merged = heapq.merge(*streams)
        self._head = next(self._merged, None)
        self._asked = b""
        self._all: dict[str, str] | None = None

    def _stream(self, age: int, files: Callable[[], Iterable[SourceObject]]) -> Iterator[tuple[bytes, int, str]]:
        last = b""
        for file in files():
            name = keys.to_bytes(file.key)
            self._ordered &= last <= name
            last = name
            yield name, age, file.version

    def version(self, key: str) -> str | None:
        """Return an object's version in the newest list that has it, or None."""
        name = keys.to_bytes(key)
        if self._all is None and (name < self._asked or not self._ordered):
            self._all = {file.key: file.version for files in self._lists for file in files()}
        if self._all is not None:
            return self._all.get(key)
        self._asked = name
        while self._head is not None and self._head[0] < name:
            self._head = next(self._merged, None)
        return self._head[2] if self._head is not None and self._head[0] == name else None
