"""How far a run is, from the shards that are done. Pure; time is handed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from featx_api.status import Progress

_FIELDS = ("index", "file", "features", "failures", "bytes", "failure_bytes", "precision", "sha256", "failure_sha256")
_OF_MARK = ("index", "file", "features", "failures", "bytes", "failureBytes", "precision", "sha256", "failureSha256")


def key_range(told: Mapping[str, str | None]) -> tuple[str, str] | None:
    """Returns between which keys a file's rows lie, as executors say it (dev.featx.table.KeyRange)."""
    first, last = told["first"], told["last"]
    return None if first is None or last is None else (first, last)


@dataclass(frozen=True)
class ShardDone:
    """What a shard came to.

    Attributes:
        index: Of the shard.
        file: What the table's file is called.
        features: Rows in the table.
        failures: Rows in the quarantine.
        bytes: Of the table's file.
        failure_bytes: Of the quarantine's.
        precision: That features were computed in.
        sha256: Of the table's file.
        failure_sha256: Of the quarantine's.
        keys: The smallest and the largest key of the table's rows, in the order of code points; None without rows.
    """

    index: int
    file: str
    features: int
    failures: int
    bytes: int
    failure_bytes: int
    precision: str
    sha256: str
    failure_sha256: str
    keys: tuple[str, str] | None = None

    @classmethod
    def of_mark(cls, mark: Mapping[str, Any]) -> ShardDone:
        """Returns what an executor says of a shard, in its result and in its mark (dev.featx.table.ShardResult)."""
        told = dict(zip(_FIELDS, (mark[name] for name in _OF_MARK), strict=True))
        return cls(**told, keys=key_range(mark["keys"]))

    def to_mark(self) -> dict[str, Any]:
        """Returns the same as a mark has it."""
        first, last = self.keys or (None, None)
        values = (getattr(self, name) for name in _FIELDS)
        return {**dict(zip(_OF_MARK, values, strict=True)), "keys": {"first": first, "last": last}}

    @property
    def quarantine_file(self) -> str:
        """Returns what its file in the quarantine is called (dev.featx.source.Shard, fileName)."""
        return f"part-{self.index:05}.parquet"

    @property
    def images(self) -> int:
        """Returns how many images are finished with it."""
        return self.features + self.failures


@dataclass
class Tally:
    """Counts shards, each once, and judges speed by what this attempt has done.

    Attributes:
        images: All images of the run; None where they are counted as they are read.
        shards: All shards of the run.
        started: When this attempt's executors began, in seconds of any clock.
    """

    images: int | None
    shards: int
    started: float
    done: dict[int, ShardDone] = field(default_factory=dict)
    earlier: int = 0

    def add(self, shard: ShardDone, *, earlier: bool = False) -> None:
        """Counts a shard.

        Args:
            shard: What it came to.
            earlier: Whether an earlier attempt did it, so that it says nothing of this one's speed.
        """
        if shard.index not in self.done:
            self.done[shard.index] = shard
            self.earlier += shard.images if earlier else 0

    def progress(self, now: float, time: datetime) -> Progress:
        """Returns what the status shows.

        Args:
            now: Seconds, of the clock of `started`.
            time: The same moment of the calendar.
        """
        done = sum(shard.images for shard in self.done.values())
        elapsed = now - self.started
        rate = (done - self.earlier) / elapsed if elapsed > 0 else 0.0
        total = self._total(done)
        left = total - done
        return Progress(
            images_total=total if self.images is not None or len(self.done) == self.shards else 0,
            images_done=done,
            images_failed=sum(shard.failures for shard in self.done.values()),
            images_per_second=round(rate, 2),
            eta_seconds=round(left / rate) if rate > 0 else None,
            shards_done=len(self.done),
            shards_total=self.shards,
            precision=", ".join(sorted({shard.precision for shard in self.done.values()})) or None,
            last_update_time=time.replace(microsecond=0),
        )

    def _total(self, done: int) -> int:
        """Returns all images, or how many there are if shards that are left hold as many as those that are done."""
        if self.images is not None:
            return self.images
        return round(done * self.shards / len(self.done)) if self.done else 0
