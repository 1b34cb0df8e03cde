"""What the table formats differ in: where executors write, and how shards become rows that readers see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from featx_api.executor_contract import ReplacementResult, ReplacementTask, ShardResult

ShardsDone = Mapping[int, ShardResult]
RewriteFiles = Callable[[list[ReplacementTask]], list[ReplacementResult]]


class Publisher(Protocol):
    """Publishes a run's shards in one table format."""

    format: Literal["delta", "parquet"]
    logged: bool
    """Whether a log decides which files belong to the table, so that every file needs a unique name."""

    @property
    def features_uri(self) -> str:
        """Where executors write the table's files."""

    @property
    def updates_table(self) -> bool:
        """Whether executors must remove replaced rows from existing files at the end."""

    def check_output(self) -> None:
        """Check that the run may write to the output.

        Raises:
            RunFailure: OutputExists.
        """

    def resume(self) -> list[ShardResult]:
        """Return the shards that earlier attempts have finished. Called once, before any shard is published."""

    def publish_shards(self, done: ShardsDone, shard_count: int) -> None:
        """Start to publish finished shards, if the format can do so before all are done.

        Args:
            done: All shards finished so far, by index.
            shard_count: Number of shards of the run.
        """

    def finalize(self, done: ShardsDone, shard_count: int, rewrite: RewriteFiles) -> list[ShardResult]:
        """Publish the remaining shards that a log has to record.

        Args:
            done: All shards, by index.
            shard_count: Number of shards of the run.
            rewrite: Has executors rewrite files without replaced rows (dev.featx.table.Replacement).

        Returns:
            The shards that make up the table.

        Raises:
            RunFailure: OutputExists or OutputBusy: another writer has changed the table.
        """

    def complete(self) -> None:
        """Finish publishing, just before the manifest is written. May be called again after a crash."""

    def rewritten_files(self) -> list[dict[str, Any]]:
        """Return the manifest's entries of files that were rewritten."""
