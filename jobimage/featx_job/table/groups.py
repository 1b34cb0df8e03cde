"""Which shards share a file of the table: consecutive ones, until the file is as large as readers like. Pure.

The first files are small, so that rows show soon; each holds up to twice as many shards as the one before. Two drivers
of a run may choose different groups: only the first to commit one counts, and the other continues after its shards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from featx_api.executor_contract import ShardResult
from featx_api.group_contract import GroupTask

from featx_job.table.file_record import JOINED, QUARANTINE
from featx_job.table.run_files import RunFiles

FILE_BYTES = 256 * 1024 * 1024
FILE_ROWS = 2_000_000
FIRST_SHARDS, MOST_SHARDS = 8, 4_000
MOST_GROUPS = 64  # of a transaction


class ShardGroup(NamedTuple):
    """Consecutive shards that become a file of the table.

    Attributes:
        shards: In order; one or more.
    """

    shards: Sequence[ShardResult]

    @property
    def first(self) -> int:
        """Index of the first shard."""
        return self.shards[0].index

    @property
    def end(self) -> int:
        """Index after the last shard."""
        return self.shards[-1].index + 1

    def task(self, files: RunFiles, number: int) -> GroupTask:
        """Return what an executor has to do.

        Args:
            files: The run's.
            number: Tells results of tasks apart.
        """
        name = files.new_table_file(self.first)
        failed = [shard for shard in self.shards if shard.failures]
        features, quarantine = files.folder_uri("features"), files.folder_uri(QUARANTINE)
        return GroupTask(
            number=number,
            folder=files.storage.hadoop_uri,
            file=name,
            rows=tuple(f"{features}/{shard.file}" for shard in self.shards),
            quarantined=tuple(f"{quarantine}/{shard.quarantine_file}" for shard in failed),
            quarantine_file=f"{files.folder_uri(JOINED)}/{name}" if failed else "",
        )


@dataclass
class Groups:
    """Finished shards that are in no file of the table yet.

    Attributes:
        next_shard: The first shard of the next group.
        closed: How many groups there have been.
        waiting: Results of finished shards from there on, by index. One that is missing holds up those after it.
    """

    next_shard: int = 0
    closed: int = 0
    waiting: dict[int, ShardResult] = field(default_factory=dict)

    def add(self, shard: ShardResult) -> None:
        """Add a finished shard, unless a file has it."""
        if shard.index >= self.next_shard:
            self.waiting[shard.index] = shard

    def complete(self, *, last: bool = False) -> list[ShardGroup]:
        """Return the next groups, whose shards keep waiting until `skip_to` says that they are in a file.

        Args:
            last: Whether no more shards follow, so that a group may be smaller.
        """
        groups: list[ShardGroup] = []
        start = self.next_shard
        while len(groups) < MOST_GROUPS and (group := self._group(start, self.closed + len(groups), last=last)):
            groups.append(group)
            start = group.end
        self.closed += len(groups)
        return groups

    def _group(self, start: int, number: int, *, last: bool) -> ShardGroup | None:
        shards: list[ShardResult] = []
        most = min(FIRST_SHARDS << min(number, 16), MOST_SHARDS)
        size = rows = 0
        while (shard := self.waiting.get(start + len(shards))) is not None:
            shards.append(shard)
            size, rows = size + shard.bytes, rows + shard.features
            if size >= FILE_BYTES or rows >= FILE_ROWS or len(shards) == most:
                return ShardGroup(shards)
        return ShardGroup(shards) if last and shards else None

    def skip_to(self, shard: int) -> None:
        """Continue at a shard: those before it are in files of the table."""
        for index in range(self.next_shard, shard):
            self.waiting.pop(index, None)
        self.next_shard = max(self.next_shard, shard)
