"""What the table formats differ in: where executors write, and how shards become rows that readers see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from featx_api.executor_contract import ReplacementResult, ReplacementTask, ShardResult
from featx_api.group_contract import GroupResult, GroupTask

from featx_job.table.file_record import FileRecord

JoinFiles = Callable[[list[GroupTask]], list[GroupResult]]
RewriteFiles = Callable[[list[ReplacementTask]], list[ReplacementResult]]


class Executors(NamedTuple):
    """What a publisher has executors do.

    Attributes:
        join: Joins files of shards (dev.featx.table.GroupFiles).
        rewrite: Rewrites files without replaced rows (dev.featx.table.Replacement).
    """

    join: JoinFiles
    rewrite: RewriteFiles


class Resumed(NamedTuple):
    """What earlier attempts have done.

    Attributes:
        files: Of the table.
        shards: Finished shards that are in none of these files.
    """

    files: Sequence[FileRecord]
    shards: Sequence[ShardResult]


class Publisher(Protocol):
    """Publishes a run's shards in one table format."""

    format: Literal["delta", "parquet"]
    logged: bool
    """Whether a log decides which files belong to the table, so that every file needs a unique name."""

    @property
    def features_uri(self) -> str:
        """Where executors write the files of shards."""

    @property
    def table_uri(self) -> str:
        """Where the table's files are, once they are in place."""

    @property
    def updates_table(self) -> bool:
        """Whether executors must remove replaced rows from existing files at the end."""

    def check_output(self) -> None:
        """Check that the run may write to the output.

        Raises:
            RunFailure: OutputExists.
        """

    def resume(self) -> Resumed:
        """Return what earlier attempts have done. Called once, before any shard is published."""

    def needs_executors(self) -> bool:
        """Return whether executors have something to do although all shards are done."""

    def publish(self, shard: ShardResult) -> None:
        """Take a finished shard, to make it visible as soon as the format can."""

    @property
    def waiting(self) -> int:
        """Number of finished shards that are in no file of the table yet."""

    def advance(self, executors: Executors) -> None:
        """Go on in the background with what is to be done before all shards are."""

    def finish_groups(self, executors: Executors) -> None:
        """Join what remains, once all shards are done.

        Raises:
            RunFailure: OutputExists: another writer has changed the table.
        """

    def finalize(self, executors: Executors) -> None:
        """Publish what remains, once the shards may become visible.

        Raises:
            RunFailure: OutputExists or OutputBusy: another writer has changed the table.
        """

    def records(self) -> Iterator[FileRecord]:
        """Yield the run's files, in the order of their shards. Those of an updated table become visible at the end."""

    def complete(self) -> None:
        """Finish publishing, just before the manifest is written. May be called again after a crash."""

    def clean_up(self) -> None:
        """Remove what nobody needs once the manifest is written."""

    def rewritten_files(self) -> list[dict[str, Any]]:
        """Return the manifest's entries of files that were rewritten."""
