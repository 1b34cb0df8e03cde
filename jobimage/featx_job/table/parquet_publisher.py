"""Publishes plain Parquet files, one per shard, which become visible together at the end.

Without a log nothing says which of two files with the same rows counts. So a file's name depends only on its shard:
whoever processes it again, replaces it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from featx_api.executor_contract import ShardResult

from featx_job.table import file_record
from featx_job.table.file_record import FileRecord
from featx_job.table.publisher import Executors, Resumed
from featx_job.table.run_files import RunFiles


class ParquetPublisher:
    """`Publisher` of plain Parquet files."""

    format: Literal["delta", "parquet"] = "parquet"
    logged = False
    updates_table = False

    def __init__(self, files: RunFiles) -> None:
        """Use a run's files."""
        self._files = files
        self._done: dict[int, FileRecord] = {}

    @property
    def features_uri(self) -> str:
        """Implements `Publisher`: hidden from readers until the table is complete."""
        return self._files.folder_uri("features")

    @property
    def table_uri(self) -> str:
        """Implements `Publisher`."""
        return self._files.storage.hadoop_uri

    def check_output(self) -> None:
        """Implements `Publisher`."""
        self._files.refuse_foreign_output()

    def resume(self) -> Resumed:
        """Implements `Publisher`."""
        return Resumed((), self._files.marked_shards())

    def needs_executors(self) -> bool:
        """Implements `Publisher`: the driver moves files by itself."""
        return False

    def publish(self, shard: ShardResult) -> None:
        """Implements `Publisher`."""
        self._done[shard.index] = file_record.of_shard(shard)

    @property
    def waiting(self) -> int:
        """Implements `Publisher`: a file has one shard."""
        return 0

    def advance(self, executors: Executors) -> None:
        """Implements `Publisher`: shards become visible together, at the end."""

    def finish_groups(self, executors: Executors) -> None:
        """Implements `Publisher`: a file has one shard."""

    def finalize(self, executors: Executors) -> None:
        """Implements `Publisher`: without a log there is nothing to record."""

    def records(self) -> Iterator[FileRecord]:
        """Implements `Publisher`."""
        return (self._done[index] for index in sorted(self._done))

    def complete(self) -> None:
        """Implements `Publisher`: files that are still below `_featx` are moved into place."""
        for file in self._files.files("features"):
            self._files.storage.move(file.path, file.name)

    def clean_up(self) -> None:
        """Implements `Publisher`."""
        self._files.remove_leftovers(())

    def rewritten_files(self) -> list[dict[str, Any]]:
        """Implements `Publisher`: there are none."""
        return []
