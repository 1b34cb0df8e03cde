"""A table is split into ranges of about equal size that hold each row once, whatever the format of its keys."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from featx_job.source import key_ranges
from featx_job.source.key_ranges import END, Range, Region
from hypothesis import given
from hypothesis import strategies as st

ROWS = st.binary(min_size=1, max_size=20)
WRITTEN = {
    "numbers": [f"img-{number:08}".encode() for number in range(0, 100_000, 7)],
    "hashes": sorted(hashlib.sha1(bytes([n % 256, n // 256])).hexdigest().encode() for n in range(10_000)),
    "binary": sorted(hashlib.sha1(bytes([n % 256, n // 256])).digest() for n in range(10_000)),
    "names": sorted(f"shop/{chr(97 + n % 26)}{n:05}.jpg".encode() for n in range(10_000)),
}


def holds(part: Range, row: bytes) -> bool:
    return part.start <= row and (part.stop == END or row < part.stop)


@pytest.mark.parametrize("kind", WRITTEN)
@pytest.mark.parametrize("parts", [2, 7, 64])
def test_parts_hold_about_the_same_number_of_rows(kind: str, parts: int) -> None:
    rows = WRITTEN[kind]
    ranges = key_ranges.split(Range(b"", END), [*rows[:20], rows[-1]], parts)
    counts = [sum(holds(part, row) for row in rows) for part in ranges]
    assert sum(counts) == len(rows)
    assert max(counts) <= 3.1 * len(rows) / parts


@given(st.sets(ROWS, min_size=1, max_size=30), st.integers(1, 50), st.binary(max_size=3))
def test_parts_cover_the_range_without_gaps(rows: set[bytes], parts: int, start: bytes) -> None:
    whole = Range(start, END)
    inside = [row for row in rows if row >= start]
    ranges = key_ranges.split(whole, inside, parts)
    assert (ranges[0].start, ranges[-1].stop) == whole
    assert 1 <= len(ranges) <= parts
    assert all(one.stop == other.start for one, other in pairwise(ranges))
    assert all(part.stop == END or part.start < part.stop for part in ranges)
    assert all(sum(holds(part, row) for part in ranges) == 1 for row in inside)


@given(st.binary(max_size=6), ROWS)
def test_a_prefix_is_the_range_of_rows_that_start_with_it(prefix: bytes, row: bytes) -> None:
    assert holds(key_ranges.with_prefix(prefix), row) == row.startswith(prefix)


@given(st.sets(st.binary(min_size=1, max_size=2), max_size=5), ROWS, ROWS, ROWS)
def test_clipped_regions_hold_each_wanted_row_once_and_no_other(
    bounds: set[bytes], one: bytes, other: bytes, row: bytes
) -> None:
    ends = [b"", *sorted(bounds), END]
    regions = [Region(Range(start, stop), 1) for start, stop in pairwise(ends)]
    wanted = Range(min(one, other), max(one, other) + b"\0")
    clipped = key_ranges.clip(regions, [wanted])
    assert sum(holds(region.range, row) for region in clipped) == holds(wanted, row)
    assert clipped == sorted(clipped)


def test_salts_precede_each_bound() -> None:
    assert key_ranges.salted(Range(b"a", b"b"), [b"0-", b"1-"]) == [Range(b"0-a", b"0-b"), Range(b"1-a", b"1-b")]
    assert key_ranges.salted(Range(b"", END), [b"\x00", b"\xff"]) == [Range(b"\x00", b"\x01"), Range(b"\xff", END)]
