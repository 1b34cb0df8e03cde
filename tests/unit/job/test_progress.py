"""Progress counts each shard once, and judges speed by this attempt alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from featx_api.executor_contract import KeyRange, ShardResult, StepSeconds
from featx_job.progress import Tally
from featx_job.table import file_record
from hypothesis import given
from hypothesis import strategies as st

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def done(index: int, features: int = 8, failures: int = 2, precision: str = "f32") -> ShardResult:
    return ShardResult(
        index=index,
        file="",
        features=features,
        failures=failures,
        skipped=0,
        bytes=1000,
        failure_bytes=10 if failures else 0,
        precision=precision,
        sha256="",
        failure_sha256="",
        keys=KeyRange(first=None, last=None),
    )


def test_nothing_done_has_no_speed_and_no_end_in_sight() -> None:
    progress = Tally(100, 10, started=0).progress(5, NOON)
    assert (progress.images_per_second, progress.eta_seconds, progress.percent) == (0, None, 0)


def test_speed_and_end_follow_from_what_is_done() -> None:
    tally = Tally(100, 10, started=10)
    tally.add(done(0))
    tally.add(done(1))
    progress = tally.progress(15, NOON)
    assert (progress.images_done, progress.images_failed, progress.images_per_second) == (20, 4, 4.0)
    assert (progress.eta_seconds, progress.percent, progress.summary) == (20, 20, "20/100")


def test_what_an_earlier_attempt_did_counts_but_not_towards_speed() -> None:
    tally = Tally(100, 10, started=0)
    tally.add(done(0), earlier=True)
    tally.add(done(1))
    progress = tally.progress(5, NOON)
    assert (progress.images_done, progress.images_per_second) == (20, 2.0)


@given(st.lists(st.integers(0, 9), max_size=40), st.floats(0, 1e6))
def test_a_shard_that_is_reported_twice_counts_once(indices: list[int], now: float) -> None:
    tally = Tally(100, 10, started=0)
    for index in indices:
        tally.add(done(index))
    progress = tally.progress(now, NOON)
    assert progress.images_done == 10 * len(set(indices)) <= progress.images_total
    assert progress.shards_done == len(set(indices))
    assert (progress.percent == 100) == (len(set(indices)) == 10)


def test_images_that_nobody_counted_are_told_by_shards_until_all_are_done() -> None:
    tally = Tally(None, 10, started=0)
    tally.add(done(0))
    tally.add(done(1))
    progress = tally.progress(5, NOON)
    assert (progress.images_total, progress.percent, progress.summary) == (0, 20, "20/?")
    assert progress.eta_seconds == 20, "eight more shards of ten images, at four a second"
    for index in range(2, 10):
        tally.add(done(index, features=1))
    progress = tally.progress(5, NOON)
    assert (progress.images_total, progress.percent, progress.summary) == (44, 100, "44/44")


@given(st.lists(st.sampled_from(["shard", "file"]), max_size=12))
def test_a_file_counts_as_all_of_its_shards(kinds: list[str]) -> None:
    tally, count = Tally(None, 100, started=0), 0
    for kind in kinds:
        if kind == "shard":
            tally.add(done(count))
        else:
            file = file_record.of_shard(done(count, features=24, failures=6)).model_copy(update={"shards": 3})
            tally.add_file(file)
        count += 1 if kind == "shard" else 3
    progress = tally.progress(5, NOON)
    assert (progress.shards_done, progress.images_done, progress.images_failed) == (count, 10 * count, 2 * count)
    assert progress.images_per_second == 2 * kinds.count("shard"), "files are those of earlier attempts"


def test_it_is_told_what_was_computed_in_on_each_kind_of_cpu() -> None:
    tally = Tally(100, 10, started=0)
    assert tally.progress(5, NOON).precision is None
    tally.add(done(0, precision="f32"))
    tally.add(done(1, precision="bf16"))
    tally.add(done(2, precision="f32"))
    assert tally.progress(5, NOON).precision == "bf16, f32"


def test_the_time_of_steps_is_that_of_this_attempts_shards() -> None:
    def shard(index: int, read: float) -> ShardResult:
        seconds = StepSeconds(read=read, decode=0.1, idle=0, detect=0.2, extract=0.3, write=0.4)
        return done(index).model_copy(update={"seconds": seconds})

    tally = Tally(100, 10, started=0)
    assert tally.progress(1, NOON).step_seconds is None
    tally.add(shard(0, 1000.0), earlier=True)
    assert tally.progress(1, NOON).step_seconds is None
    for index in (1, 2, 2):  # the same shard again counts once
        tally.add(shard(index, 1.5))
    seconds = tally.progress(5, NOON).step_seconds
    assert seconds is not None
    assert (seconds.read, seconds.decode, seconds.idle, seconds.write) == (3.0, 0.2, 0.0, 0.8)


def test_a_marker_of_an_earlier_version_has_no_times() -> None:
    marker = done(3).to_wire()
    del marker["seconds"]
    assert ShardResult.from_json(json.dumps(marker)).seconds.read == 0
