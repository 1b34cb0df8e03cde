"""Publishes a folder of Parquet files: all are moved into place once every shard is done.

A shard's file name depends only on its index, so a shard that is processed again replaces its file with the same rows.
"""

from __future__ import annotations

from typing import Any, Literal

from featx_api.executor_contract import ShardResult

from featx_job.table.publisher import RewriteFiles, ShardsDone
from featx_job.table.run_files import RunFiles


class ParquetPublisher:
    """`Publisher` of plain Parquet files."""

    format: Literal["delta", "parquet"] = "parquet"
    logged = False
    updates_table = False

    def __init__(self, files: RunFiles) -> None:
        """Use a run's files."""
        self._files = files

    @property
    def features_uri(self) -> str:
        """Implements `Publisher`: hidden from readers until the table is complete."""
        return self._files.folder_uri("features")

    def check_output(self) -> None:
        """Implements `Publisher`."""
        self._files.refuse_foreign_output()

    def resume(self) -> list[ShardResult]:
        """Implements `Publisher`."""
        return self._files.marked_shards()

    def publish_shards(self, done: ShardsDone, shard_count: int) -> None:
        """Implements `Publisher`: shards become visible together, at the end."""

    def finalize(self, done: ShardsDone, shard_count: int, rewrite: RewriteFiles) -> list[ShardResult]:
        """Implements `Publisher`: without a log there is nothing to record."""
        return [done[index] for index in sorted(done)]

    def complete(self) -> None:
        """Implements `Publisher`: files that are still below `_featx` are moved into place."""
        for file in self._files.files("features"):
            self._files.storage.move(file.path, file.name)

    def rewritten_files(self) -> list[dict[str, Any]]:
        """Implements `Publisher`: there are none."""
        return []
