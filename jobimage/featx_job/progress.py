"""Progress of a run, from the shards that are done. Pure; time is a parameter.

Sums are kept, not recomputed: a finished shard costs the same in a run of a million shards as in one of ten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from featx_api.executor_contract import ShardResult
from featx_api.failures import QuarantineReason
from featx_api.status import Progress, StepSeconds

from featx_job.shard_set import ShardSet
from featx_job.table.file_record import FileRecord

SHORTEST = 1e-3  # seconds


@dataclass
class Tally:
    """Counts each shard once, and measures the speed of this attempt.

    Attributes:
        images: All images of the run; None if they are counted as they are read.
        shards: All shards of the run.
        started: When this attempt's executors began, in seconds of any clock.
        skipped: Files that were left out when the source was listed.
        done: Indices of finished shards.
        features: Rows of the table.
        failures: Images in quarantine.
        not_selected: Rows and members of archives that were left out as they were read.
        earlier: Images that earlier attempts have done.
        reasons: Images in quarantine by reason.
        precisions: In which features were computed.
        seconds: How long the steps of this attempt's shards took.
        joining: Seconds that joining files of shards took. Shown with `write`.
    """

    images: int | None
    shards: int
    started: float
    skipped: int = 0
    done: ShardSet = field(default_factory=ShardSet)
    features: int = 0
    failures: int = 0
    not_selected: int = 0
    earlier: int = 0
    reasons: Counter[QuarantineReason] = field(default_factory=Counter)
    precisions: set[str] = field(default_factory=set)
    seconds: Counter[str] = field(default_factory=Counter)
    joining: float = 0.0

    def add(self, shard: ShardResult, *, earlier: bool = False) -> bool:
        """Count a shard; return whether it had not been counted before.

        Args:
            shard: Its result.
            earlier: Whether an earlier attempt did it, so that it does not count towards this one's speed.
        """
        if not self.done.add(shard.index):
            return False
        self._add(shard.features, shard.failures, shard.skipped, shard.reasons, (shard.precision,))
        if earlier:
            self.earlier += shard.images
        else:
            self.seconds.update(shard.seconds.model_dump())
        return True

    def add_file(self, file: FileRecord) -> None:
        """Count the shards of a file that an earlier attempt has added to the table."""
        for index in range(file.first, file.end):
            self.done.add(index)
        self._add(file.features, file.failures, file.skipped, file.reasons, file.precisions)
        self.earlier += file.images

    def _add(
        self,
        features: int,
        failures: int,
        skipped: int,
        reasons: Mapping[QuarantineReason, int],
        precisions: Iterable[str],
    ) -> None:
        self.features += features
        self.failures += failures
        self.not_selected += skipped
        self.reasons.update(reasons)
        self.precisions.update(precisions)

    def seconds_per_image(self) -> float:
        """Return how long a task of this attempt has taken per image, 0 before the first one has ended.

        What a task does at the same time counts once: it waits for images (idle) while they are read and decoded.
        """
        images = self.features + self.failures - self.earlier
        steps = ("idle", "detect", "extract", "write")
        return sum(self.seconds[step] for step in steps) / images if images else 0.0

    def progress(self, now: float, time: datetime) -> Progress:
        """Return the progress that the status shows.

        Args:
            now: Seconds, of the clock of `started`.
            time: The same moment as a date.
        """
        done = self.features + self.failures
        elapsed = now - self.started
        # A rate over less would be noise, and might exceed the largest number that a status holds.
        rate = (done - self.earlier) / max(elapsed, SHORTEST) if elapsed > 0 else 0.0
        total = self._total(done)
        left = total - done
        return Progress(
            images_total=total if self.images is not None or len(self.done) == self.shards else 0,
            images_done=done,
            images_failed=self.failures,
            files_skipped=self.skipped + self.not_selected,
            images_per_second=round(rate, 2),
            eta_seconds=round(left / rate) if rate > 0 else None,
            shards_done=len(self.done),
            shards_total=self.shards,
            step_seconds=self._step_seconds(),
            precision=", ".join(sorted(self.precisions)) or None,
            last_update_time=time.replace(microsecond=0),
        )

    def _step_seconds(self) -> StepSeconds | None:
        if not self.seconds:
            return None
        seconds = {**self.seconds, "write": self.seconds["write"] + self.joining}
        return StepSeconds.model_validate({step: round(value, 3) for step, value in seconds.items()})

    def _total(self, done: int) -> int:
        """Return the number of images, estimated from finished shards while it is unknown."""
        if self.images is not None:
            return self.images
        return round(done * self.shards / len(self.done)) if self.done else 0
