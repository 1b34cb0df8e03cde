"""The log that makes a run's finished files a Delta Lake table: one commit, of all files or of none. Pure.

The commit is the table's first and only one, and the same whoever writes it, so that it needs no lock. What it says is
the protocol's (github.com/delta-io/delta, PROTOCOL.md), of the versions that every reader knows: reader 1, writer 2.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from featx_job.progress import ShardDone

FOLDER = "_delta_log"
FIRST = f"{FOLDER}/{0:020}.json"

_LIST = {"type": "array", "elementType": "float", "containsNull": False}
# As dev.featx.pipeline.Rows writes them: name, type, whether it may be null.
_COLUMNS = (
    ("key", "string", False),
    ("x0", "float", False),
    ("y0", "float", False),
    ("x1", "float", False),
    ("y1", "float", False),
    ("score", "float", True),
    ("class", "integer", True),
    ("feature", _LIST, False),
    ("bits", "binary", True),
    ("width", "integer", False),
    ("height", "integer", False),
)


def commit(uid: str, name: str, time: datetime, engine: str, shards: Iterable[ShardDone]) -> bytes:
    """Returns the log's first entry.

    Args:
        uid: Of the run, which the table's id is made of.
        name: Of the run.
        time: Of the commit.
        engine: Who commits, with its version.
        shards: All of the run.
    """
    milliseconds = int(time.timestamp() * 1000)
    fields = [{"name": name, "type": kind, "nullable": null, "metadata": {}} for name, kind, null in _COLUMNS]
    table: dict[str, Any] = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"featx:{uid}")),
        "name": name,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": fields}),
        "partitionColumns": [],
        "configuration": {},
        "createdTime": milliseconds,
    }
    written = {"timestamp": milliseconds, "operation": "WRITE", "operationParameters": {"mode": "Append"}}
    actions: list[dict[str, Any]] = [
        {"commitInfo": {**written, "engineInfo": engine, "isBlindAppend": True}},
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
        {"metaData": table},
        {"txn": {"appId": uid, "version": 0, "lastUpdated": milliseconds}},
        *({"add": _added(shard, milliseconds)} for shard in shards),
    ]
    return "".join(f"{json.dumps(action)}\n" for action in actions).encode()


def _added(shard: ShardDone, milliseconds: int) -> dict[str, Any]:
    return {
        "path": shard.file_name,
        "partitionValues": {},
        "size": shard.bytes,
        "modificationTime": milliseconds,
        "dataChange": True,
        "stats": json.dumps({"numRecords": shard.features}),
    }
