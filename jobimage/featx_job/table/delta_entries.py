"""Entries of a Delta Lake table's log: those that Featx writes, and what it reads from those of others. Pure.

Entries follow the protocol (github.com/delta-io/delta, PROTOCOL.md) in the versions that every reader supports: reader
1, writer 2. Files are added by transactions: the application id is the run's uid, the version counts its transactions.
So a driver that commits shards again finds that they are already there.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from featx_api.executor_contract import KeyRange, ReplacementResult, RewrittenFile, ShardResult
from featx_api.table_contract import DAMAGED_COLUMN, FEATURE_COLUMNS, Column

from featx_job.table import file_record
from featx_job.table.file_record import FileRecord

FOLDER = "_delta_log"
LAST_CHECKPOINT = f"{FOLDER}/_last_checkpoint"
# Readers read every entry since the last checkpoint.
CHECKPOINT_INTERVAL = 10

# Tags of files. In earlier versions a file held one shard, whose result was its tag.
_FILE, _SHARD, _REWRITTEN = "featx.file", "featx.shard", "featx.rewritten"
_SUPPORTED_FEATURES = {"appendOnly", "invariants"}  # writer features that are part of writer version 2
_LIST = {"type": "array", "elementType": "float", "containsNull": False}


@dataclass(frozen=True)
class Committer:
    """The author of commits.

    Attributes:
        uid: The run's.
        name: The run's.
        engine: Featx with its version.
    """

    uid: str
    name: str
    engine: str

    @property
    def table_id(self) -> str:
        """The id of a table that this run creates, the same for all its drivers."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"featx:{self.uid}"))


@dataclass(frozen=True)
class Snapshot:
    """A version of a table as a whole (dev.featx.table.DeltaTable, written).

    Attributes:
        version: Its number.
        writer: Protocol version that writers must support.
        features: Protocol features that writers must support.
        schema: Columns, in Delta's JSON.
        configuration: The table's properties.
        partitions: Partition columns.
        files: The version's files, each with `path` as in the log, `uri`, and `stats` in JSON or None.
    """

    version: int
    writer: int
    features: Sequence[str]
    schema: str
    configuration: Mapping[str, str]
    partitions: Sequence[str]
    files: Sequence[Mapping[str, Any]]


def entry_path(version: int) -> str:
    """Return the path of a version's entry, below the table's folder."""
    return f"{FOLDER}/{version:020}.json"


def versions(paths: Iterable[str]) -> list[int]:
    """Return the versions whose entries are among the log's files, in order."""
    names = (path.rsplit("/", 1)[-1].removesuffix(".json") for path in paths if path.endswith(".json"))
    return sorted(int(name) for name in names if len(name) == 20 and name.isdigit())


def creation(by: Committer, time: datetime, columns: Sequence[Column] = FEATURE_COLUMNS) -> bytes:
    """Return the entry that creates a table without rows."""
    fields = [
        {"name": column.name, "type": _type(column), "nullable": column.nullable, "metadata": {}} for column in columns
    ]
    table = {
        "id": by.table_id,
        "name": by.name,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": fields}),
        "partitionColumns": [],
        "configuration": {},
        "createdTime": _milliseconds(time),
    }
    return _lines(
        _commit_info(by, time, "CREATE TABLE", blind=True),
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
        {"metaData": table},
    )


def append(by: Committer, number: int, time: datetime, files: Iterable[FileRecord]) -> bytes:
    """Return the entry that adds files."""
    return _lines(
        _commit_info(by, time, "WRITE", blind=True),
        _transaction(by, number, time),
        *(_add(file, time) for file in files),
    )


def merge(
    by: Committer, number: int, time: datetime, files: Iterable[FileRecord], results: Iterable[ReplacementResult]
) -> bytes:
    """Return the entry that adds files and removes the rows that they replace."""
    actions: list[dict[str, Any]] = []
    for result in results:
        if (rewritten := result.rewritten) is None:
            continue
        removal = {"path": result.path, "deletionTimestamp": _milliseconds(time), "dataChange": True}
        actions.append({"remove": removal})
        if rewritten.rows:
            tags = {_REWRITTEN: json.dumps(manifest_entry(result.path, rewritten))}
            about = (rewritten.file, rewritten.bytes, rewritten.rows, rewritten.keys)
            actions.append({"add": _file(*about, time, tags)})
    return _lines(
        _commit_info(by, time, "MERGE", blind=False),
        _transaction(by, number, time),
        *(_add(file, time) for file in files),
        *actions,
    )


def manifest_entry(replaces: str, file: RewrittenFile) -> dict[str, Any]:
    """Return the manifest's entry of a file that was rewritten, given the path of the old one."""
    about = {"path": file.file, "rows": file.rows, "bytes": file.bytes, "sha256": file.sha256}
    return about | {"replaces": replaces}


class Entry:
    """An entry of the log."""

    def __init__(self, data: bytes) -> None:
        """Parse an entry."""
        self._actions: list[dict[str, Any]] = [json.loads(line) for line in data.splitlines() if line.strip()]

    def _all(self, kind: str) -> list[dict[str, Any]]:
        return [action[kind] for action in self._actions if kind in action]

    def _tags(self, name: str) -> list[Any]:
        tags = (file.get("tags") or {} for file in self._all("add"))
        return [json.loads(tag[name]) for tag in tags if name in tag]

    def transaction(self, uid: str) -> int | None:
        """Return the version of an application's transaction, or None if the entry has none."""
        return next((txn["version"] for txn in self._all("txn") if txn["appId"] == uid), None)

    @property
    def table_id(self) -> str | None:
        """The id that the entry gives the table, if any."""
        return next((str(metadata["id"]) for metadata in self._all("metaData")), None)

    @property
    def changes_schema(self) -> bool:
        """Whether the entry changes the table's columns, properties or protocol."""
        return bool(self._all("metaData") or self._all("protocol"))

    @property
    def adds_rows(self) -> bool:
        """Whether the entry adds new rows, rather than moving existing ones to other files."""
        return any(file["dataChange"] for file in self._all("add"))

    def files(self) -> list[FileRecord]:
        """Return the files of shards that the entry adds, in the order of their shards."""
        shards = (ShardResult.model_validate(marker) for marker in self._tags(_SHARD))
        files = [FileRecord.model_validate(tag) for tag in self._tags(_FILE)]
        return sorted([*files, *map(file_record.of_shard, shards)], key=lambda file: file.first)

    def rewritten_files(self) -> list[dict[str, Any]]:
        """Return the manifest's entries of the files that were rewritten."""
        return self._tags(_REWRITTEN)


def _type(column: Column) -> Any:
    return _LIST if column.type == "floats" else column.type


def why_not_updatable(table: Snapshot, columns: Sequence[Column] = FEATURE_COLUMNS) -> str | None:
    """Return the reason why a run that writes these columns can't update a table, or None if it can."""
    unsupported = sorted(set(table.features) - _SUPPORTED_FEATURES)
    if table.writer > 2 and (table.writer != 7 or unsupported):
        required = ", ".join(unsupported) or f"version {table.writer}"
        return f"it requires writer features that Featx does not support ({required})"
    if table.configuration.get("delta.appendOnly", "false").lower() == "true":
        return "it is append-only (delta.appendOnly), but rows of changed images must be replaced"
    if table.partitions:
        return f"it is partitioned (by {', '.join(table.partitions)})"
    existing = {field["name"]: field["type"] for field in json.loads(table.schema)["fields"]}
    missing = [column.name for column in columns if existing.get(column.name) != _type(column)]
    if missing == [DAMAGED_COLUMN.name] or existing.keys() - {column.name for column in columns} == {
        DAMAGED_COLUMN.name
    }:
        return f"a table has the column {DAMAGED_COLUMN.name} from its first run on (spec.decoding.damaged)"
    if missing or len(existing) != len(columns):
        return f"its columns differ from those that Featx writes ({', '.join(missing) or 'there are others'})"
    return None


def overlapping_files(
    files: Iterable[Mapping[str, Any]], newer: Sequence[FileRecord]
) -> list[tuple[str, str, list[str]]]:
    """Return the files of a table that may hold rows with the keys of newer files.

    Args:
        files: The table's files, as in `Snapshot`.
        newer: The newer files.

    Returns:
        For each file its path in the log, its URI, and the names of the newer files.
    """
    overlapping = []
    bounds = [(*record.keys.bounds, record.file) for record in newer if record.keys.bounds]
    for file in files:
        stats = json.loads(file["stats"] or "{}")
        first, last = (stats.get(bound, {}).get("key") for bound in ("minValues", "maxValues"))
        names = [
            name for low, high, name in bounds if (first is None or first <= high) and (last is None or low <= last)
        ]
        if names:
            overlapping.append((file["path"], file["uri"], names))
    return overlapping


def _add(file: FileRecord, time: datetime) -> dict[str, Any]:
    return {"add": _file(file.file, file.bytes, file.features, file.keys, time, {_FILE: file.to_json()})}


def _file(path: str, size: int, rows: int, keys: KeyRange, time: datetime, tags: dict[str, str]) -> dict[str, Any]:
    stats: dict[str, Any] = {"numRecords": rows}
    if bounds := keys.bounds:
        stats |= {"minValues": {"key": bounds[0]}, "maxValues": {"key": bounds[1]}, "nullCount": {"key": 0}}
    return {
        "path": path,
        "partitionValues": {},
        "size": size,
        "modificationTime": _milliseconds(time),
        "dataChange": True,
        "stats": json.dumps(stats),
        "tags": tags,
    }


def _transaction(by: Committer, number: int, time: datetime) -> dict[str, Any]:
    return {"txn": {"appId": by.uid, "version": number, "lastUpdated": _milliseconds(time)}}


def _commit_info(by: Committer, time: datetime, operation: str, *, blind: bool) -> dict[str, Any]:
    parameters = {"mode": "Append"} if operation == "WRITE" else {}
    about = {"operation": operation, "operationParameters": parameters, "isBlindAppend": blind}
    return {"commitInfo": {"timestamp": _milliseconds(time), **about, "engineInfo": by.engine}}


def _lines(*actions: dict[str, Any]) -> bytes:
    return "".join(f"{json.dumps(action)}\n" for action in actions).encode()


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)
