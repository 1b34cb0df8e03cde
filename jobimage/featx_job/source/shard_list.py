"""What every list of shards can do, whatever the source is. Pure.

A shard's content never changes during a run, whatever is uploaded meanwhile. Its index names its files, so a shard
that is processed twice counts once.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from featx_job.source.objects import SkippedCounts


class Work(NamedTuple):
    """What is known of a run's work.

    Attributes:
        seconds: That a task takes per image; 0 while unknown.
        tasks: That run at the same time.
    """

    seconds: float
    tasks: int


class ShardList(Protocol):
    """All shards of a run, as far as they are planned."""

    @property
    def images(self) -> int | None:
        """Number of images that are listed, or None if it is unknown before they are read."""

    def __len__(self) -> int:
        """Return the number of shards that are planned."""

    @property
    def complete(self) -> bool:
        """Whether all shards are planned."""

    @property
    def expected(self) -> int:
        """Number of shards that the run will have, as far as it can be told."""

    def plan(self, work: Work) -> None:
        """Plan more shards, unless all are planned or the source is not listed that far.

        Args:
            work: What is known of the run's work.

        Raises:
            RunFailure: The source can't be listed.
        """

    def close(self) -> None:
        """End what goes on in the background."""

    def line(self, index: int) -> str:
        """Return one shard as a line of JSON for executors (dev.featx.source.Shard)."""

    def samples(self, images: int) -> tuple[str, str]:
        """Return two samples of images from across the source, as lines; they differ if there are enough images."""

    @property
    def skipped(self) -> SkippedCounts:
        """Number of files that were left out when the source was listed, by cause."""


class PlannedShards:
    """A list whose shards are all planned from the start."""

    complete = True

    def __len__(self) -> int:
        """Return the number of shards."""
        raise NotImplementedError

    @property
    def expected(self) -> int:
        """Implements `ShardList`."""
        return len(self)

    def plan(self, work: Work) -> None:
        """Implements `ShardList`."""

    def close(self) -> None:
        """Implements `ShardList`."""
