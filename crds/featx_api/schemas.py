"""Writes the JSON Schemas of the executor contract: `python -m featx_api.schemas FOLDER`, part of `make generate`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from featx_api.executor_contract import (
    Comparison,
    HBaseTable,
    Observation,
    ReadResult,
    ReplacementResult,
    ReplacementTask,
    ShardLine,
    ShardResult,
    TaskSettings,
)
from featx_api.group_contract import GroupResult, GroupTask
from featx_api.name_contract import FileNames, HiddenFiles, ImageKeys
from featx_api.network_header import NetworkHeader
from featx_api.table_contract import Columns

#: Every document, by the name of its schema and golden files.
DOCUMENTS: Final[dict[str, TypeAdapter[Any]]] = {
    "task-settings": TypeAdapter(TaskSettings),
    "hbase-table": TypeAdapter(HBaseTable),
    "shard-line": TypeAdapter(ShardLine),
    "shard-result": TypeAdapter(ShardResult),
    "group-task": TypeAdapter(GroupTask),
    "group-result": TypeAdapter(GroupResult),
    "replacement-task": TypeAdapter(ReplacementTask),
    "replacement-result": TypeAdapter(ReplacementResult),
    "read-result": TypeAdapter(ReadResult),
    "observation": TypeAdapter(Observation),
    "comparison": TypeAdapter(Comparison),
    "columns": TypeAdapter(Columns),
    "file-names": TypeAdapter(FileNames),
    "hidden-files": TypeAdapter(HiddenFiles),
    "image-keys": TypeAdapter(ImageKeys),
    "network-header": TypeAdapter(NetworkHeader),
}


def schemas() -> dict[str, str]:
    """Return the content of each schema file by its name, the same bytes each time."""
    return {
        f"{name}.schema.json": json.dumps(document.json_schema(by_alias=True, mode="serialization"), indent=2) + "\n"
        for name, document in DOCUMENTS.items()
    }


if __name__ == "__main__":
    for name, text in schemas().items():
        (Path(sys.argv[1]) / name).write_text(text)
