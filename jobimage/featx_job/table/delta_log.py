"""What a Delta Lake table's log says of a run: the entries that Featx writes, and what it reads of others. Pure.

Entries are the protocol's (github.com/delta-io/delta, PROTOCOL.md), of the versions that every reader knows: reader 1,
writer 2. A group of shards is one transaction of the application that the run's uid names, with the group's number as
its version, so that whoever commits it again finds that it is there.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from featx_api.executor_contract import FEATURE_COLUMNS, KeyRange, ReplacementResult, RewrittenFile, ShardResult

FOLDER = "_delta_log"
LAST_CHECKPOINT = f"{FOLDER}/_last_checkpoint"
# Readers read every entry since the last checkpoint.
MOST_GROUPS, FEWEST_SHARDS, COMMITS_A_CHECKPOINT = 100, 8, 10

_SHARD, _REWRITTEN = "featx.shard", "featx.rewritten"  # tags of files
_UNDERSTOOD = {"appendOnly", "invariants"}  # features for writers that writer 2 has too
_LIST = {"type": "array", "elementType": "float", "containsNull": False}
_COLUMNS = tuple(
    (column.name, _LIST if column.type == "floats" else column.type, column.nullable) for column in FEATURE_COLUMNS
)


@dataclass(frozen=True)
class Committer:
    """Who commits: the run's uid and name, and Featx with its version."""

    uid: str
    name: str
    engine: str

    @property
    def table_id(self) -> str:
        """Returns the id of a table that this run makes, the same for all its drivers."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"featx:{self.uid}"))


def described(result: ReplacementResult, file: RewrittenFile) -> dict[str, Any]:
    """Return the manifest's entry of a file that was rewritten."""
    about = {"path": file.file, "rows": file.rows, "bytes": file.bytes, "sha256": file.sha256}
    return about | {"replaces": result.path}


def entry(version: int) -> str:
    """Returns where the log has a version's entry, below the table's folder."""
    return f"{FOLDER}/{version:020}.json"


def versions(paths: Iterable[str]) -> list[int]:
    """Returns the versions of the log's entries among its files, in order."""
    names = (path.rsplit("/", 1)[-1].removesuffix(".json") for path in paths if path.endswith(".json"))
    return sorted(int(name) for name in names if len(name) == 20 and name.isdigit())


def group(number: int, shards: int) -> range:
    """Returns the shards of a group, which are one transaction; it is empty behind the last one."""
    size = max(FEWEST_SHARDS, -(-shards // MOST_GROUPS))
    return range(min(number * size, shards), min((number + 1) * size, shards))


def created(by: Committer, time: datetime) -> bytes:
    """Returns the entry that makes a table without rows."""
    fields = [{"name": name, "type": kind, "nullable": null, "metadata": {}} for name, kind, null in _COLUMNS]
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


def appended(by: Committer, number: int, time: datetime, shards: Iterable[ShardResult]) -> bytes:
    """Returns the entry that adds a group of shards."""
    return _lines(
        _commit_info(by, time, "WRITE", blind=True),
        _transaction(by, number, time),
        *(_added(shard, time) for shard in shards),
    )


def updated(
    by: Committer, number: int, time: datetime, shards: Iterable[ShardResult], replaced: Iterable[ReplacementResult]
) -> bytes:
    """Returns the entry that adds shards and takes out the rows that they replace."""
    actions: list[dict[str, Any]] = []
    for result in replaced:
        if file := result.rewritten:
            about = {"deletionTimestamp": _milliseconds(time), "dataChange": True}
            actions.append({"remove": {"path": result.path, **about}})
            if file.rows:
                tags = {_REWRITTEN: json.dumps(described(result, file))}
                actions.append({"add": _file(file.file, file.bytes, file.rows, file.keys, time, tags)})
    return _lines(
        _commit_info(by, time, "MERGE", blind=False),
        _transaction(by, number, time),
        *(_added(shard, time) for shard in shards),
        *actions,
    )


class Entry:
    """What an entry of the log says."""

    def __init__(self, data: bytes) -> None:
        """Reads an entry."""
        self._actions: list[dict[str, Any]] = [json.loads(line) for line in data.splitlines() if line.strip()]

    def _of(self, kind: str) -> list[dict[str, Any]]:
        return [action[kind] for action in self._actions if kind in action]

    def transaction(self, uid: str) -> int | None:
        """Returns which of an application's transactions this is, or None."""
        return next((each["version"] for each in self._of("txn") if each["appId"] == uid), None)

    @property
    def table_id(self) -> str | None:
        """Returns the id that the table has from here on, if the entry says so."""
        return next((str(each["id"]) for each in self._of("metaData")), None)

    @property
    def changes_rules(self) -> bool:
        """Returns whether the entry changes the table's columns, settings or protocol."""
        return bool(self._of("metaData") or self._of("protocol"))

    @property
    def adds_rows(self) -> bool:
        """Returns whether rows are new to the table, and not only in other files."""
        return any(each["dataChange"] for each in self._of("add"))

    def shards(self) -> list[ShardResult]:
        """Returns the shards that the entry adds."""
        tags = (each.get("tags") or {} for each in self._of("add"))
        return [ShardResult.from_json(tag[_SHARD]) for tag in tags if _SHARD in tag]

    def rewritten(self) -> list[dict[str, Any]]:
        """Returns what the manifest says of the files that were written anew."""
        tags = (each.get("tags") or {} for each in self._of("add"))
        return [json.loads(tag[_REWRITTEN]) for tag in tags if _REWRITTEN in tag]


def refusal(table: Mapping[str, Any]) -> str | None:
    """Returns why Featx can't update a table, or None if it can.

    Args:
        table: Its newest version (dev.featx.table.DeltaTable, written).
    """
    unknown = sorted(set(table["features"]) - _UNDERSTOOD)
    if table["writer"] > 2 and (table["writer"] != 7 or unknown):
        asked = ", ".join(unknown) or f"version {table['writer']}"
        return f"its protocol asks of writers what Featx does not do ({asked})"
    if table["configuration"].get("delta.appendOnly", "false").lower() == "true":
        return "it is append-only (delta.appendOnly), and rows of changed images have to be replaced"
    if table["partitions"]:
        return f"it is partitioned (by {', '.join(table['partitions'])})"
    columns = {(field["name"], json.dumps(field["type"])) for field in json.loads(table["schema"])["fields"]}
    missing = [name for name, kind, _ in _COLUMNS if (name, json.dumps(kind)) not in columns]
    if missing or len(columns) != len(_COLUMNS):
        return f"its columns are not those that Featx writes ({', '.join(missing) or 'there are others'})"
    return None


def overlaps(files: Iterable[Mapping[str, Any]], shards: Sequence[ShardResult]) -> list[tuple[str, str, list[str]]]:
    """Returns the files of a table that may have rows for keys of newer files.

    Args:
        files: Of the table (dev.featx.table.DeltaTable, written).
        shards: What newer files hold.

    Returns:
        Each with its path in the log, its address, and the names of the newer files.
    """
    found = []
    for file in files:
        stats = json.loads(file["stats"] or "{}")
        first, last = (stats.get(bound, {}).get("key") for bound in ("minValues", "maxValues"))
        newer = [
            shard.file
            for shard in shards
            if (keys := shard.keys.bounds) and (first is None or first <= keys[1]) and (last is None or keys[0] <= last)
        ]
        if newer:
            found.append((file["path"], file["uri"], newer))
    return found


def _added(shard: ShardResult, time: datetime) -> dict[str, Any]:
    tags = {_SHARD: shard.to_json()}
    return {"add": _file(shard.file, shard.bytes, shard.features, shard.keys, time, tags)}


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
