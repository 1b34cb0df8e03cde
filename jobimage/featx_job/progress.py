"""Progress of a run, from the shards that are done. Pure; time is a parameter."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from featx_api.executor_contract import ShardResult
from featx_api.failures import QuarantineReason
from featx_api.status import Progress, StepSeconds

SHORTEST = 1e-3  # seconds


@dataclass
class Tally:
    """Counts each shard once, and measures the speed of this attempt.

    Attributes:
        images: All images of the run; None if they are counted as they are read.
        shards: All shards of the run.
        started: When this attempt's executors began, in seconds of any clock.
        skipped: Files that were left out when the source was listed.
        done: Results of shards by their index.
        earlier: Images that earlier attempts have done.
        seconds: How long the steps of this attempt's shards took.
    """

    images: int | None
    shards: int
    started: float
    skipped: int = 0
    done: dict[int, ShardResult] = field(default_factory=dict)
    earlier: int = 0
    seconds: Counter[str] = field(default_factory=Counter)

    def add(self, shard: ShardResult, *, earlier: bool = False) -> None:
        """Count a shard.

        Args:
            shard: Its result.
            earlier: Whether an earlier attempt did it, so that it does not count towards this one's speed.
        """
        if shard.index not in self.done:
            self.done[shard.index] = shard
            if earlier:
                self.earlier += shard.images
            else:
                self.seconds.update(shard.seconds.model_dump())

    def reasons(self) -> Counter[QuarantineReason]:
        """Return how many images are in quarantine by reason."""
        return sum((Counter(shard.reasons) for shard in self.done.values()), Counter())

    def progress(self, now: float, time: datetime) -> Progress:
        """Return the progress that the status shows.

        Args:
            now: Seconds, of the clock of `started`.
            time: The same moment as a date.
        """
        done = sum(shard.images for shard in self.done.values())
        elapsed = now - self.started
        # A rate over less would be noise, and might exceed the largest number that a status holds.
        rate = (done - self.earlier) / max(elapsed, SHORTEST) if elapsed > 0 else 0.0
        total = self._total(done)
        left = total - done
        return Progress(
            images_total=total if self.images is not None or len(self.done) == self.shards else 0,
            images_done=done,
            images_failed=sum(shard.failures for shard in self.done.values()),
            files_skipped=self.skipped + sum(shard.skipped for shard in self.done.values()),
            images_per_second=round(rate, 2),
            eta_seconds=round(left / rate) if rate > 0 else None,
            shards_done=len(self.done),
            shards_total=self.shards,
            step_seconds=self._step_seconds(),
            precision=", ".join(sorted({shard.precision for shard in self.done.values()})) or None,
            last_update_time=time.replace(microsecond=0),
        )

    def _step_seconds(self) -> StepSeconds | None:
        rounded = {step: round(seconds, 3) for step, seconds in self.seconds.items()}
        return StepSeconds.model_validate(rounded) if rounded else None

    def _total(self, done: int) -> int:
        """Return the number of images, estimated from finished shards while it is unknown."""
        if self.images is not None:
            return self.images
        return round(done * self.shards / len(self.done)) if self.done else 0
