"""Cuts a table of sorted rows into ranges: by regions, and those that are long by where their rows lie. Pure.

Rows are byte strings of any kind: numbers in text, hashes in hexadecimal, binary keys behind a salt. Between two of
them the places of the cuts are counted in the digits that the rows around them are written in; counted in bytes, nine
of ten cuts in `img-0000` to `img-9999` would have no rows between them.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

END = b""
DIGITS = 12  # behind what all rows begin with: more than 10^12 rows of a region need none
ALPHABETS = (
    string.digits.encode(),
    b"0123456789abcdef",
    b"0123456789ABCDEF",
    bytes(sorted((string.digits + string.ascii_letters + "-_./:").encode())),
)
ALL_BYTES = bytes(range(256))


class Range(NamedTuple):
    """Rows from one (the first, where empty) up to but without another (all that follow, where empty)."""

    start: bytes
    stop: bytes

    def within(self, other: Range) -> Range | None:
        """Returns what both have in common, or None."""
        start = max(self.start, other.start)
        stop = min((each for each in (self.stop, other.stop) if each != END), default=END)
        return Range(start, stop) if stop == END or start < stop else None


class Region(NamedTuple):
    """A region of the table, and the bytes that it takes on its server."""

    range: Range
    size: int


def with_prefix(prefix: bytes) -> Range:
    """Returns the range of all rows that begin so."""
    stop = prefix.rstrip(b"\xff")
    return Range(prefix, stop[:-1] + bytes([stop[-1] + 1]) if stop else END)


def salted(wanted: Range, salts: Sequence[bytes]) -> list[Range]:
    """Returns where a range's rows are if each begins with one of some salts; the range itself without salts."""
    if not salts:
        return [wanted]
    return [Range(salt + wanted.start, salt + wanted.stop if wanted.stop else with_prefix(salt).stop) for salt in salts]


def pieces(regions: Iterable[Region], wanted: Sequence[Range]) -> list[Region]:
    """Returns the parts of regions that are wanted, in order of rows; each still has its whole region's size."""
    found = [
        Region(part, region.size)
        for region in regions
        for each in wanted
        if (part := region.range.within(each)) is not None
    ]
    return sorted(found)


def cut(whole: Range, rows: Sequence[bytes], parts: int) -> list[Range]:
    """Cuts a range into parts that hold about as many rows each.

    Args:
        whole: The range.
        rows: Rows of it, the first and the last among them.
        parts: How many are wanted; there may be fewer.
    """
    marks = _between(min(rows), max(rows), rows, parts) if rows else []
    marks = [mark for mark in marks if whole.start < mark and (whole.stop == END or mark < whole.stop)]
    ends = [whole.start, *marks, whole.stop]
    return [Range(start, stop) for start, stop in pairwise(ends)]


def _between(first: bytes, last: bytes, rows: Sequence[bytes], parts: int) -> list[bytes]:
    """Returns rows, increasing, at equal distances between two, counted in the digits that rows are written in."""
    common = _common(first, last)
    used = set(b"".join(row[len(common) :] for row in rows if row.startswith(common)))
    alphabet = next((each for each in ALPHABETS if used <= set(each)), ALL_BYTES)
    low, high = (_number(row[len(common) :], alphabet) for row in (first, last))
    numbers = sorted({low + (high - low) * part // parts for part in range(1, parts)} - {low})
    return [common + _digits(number, alphabet) for number in numbers]


def _common(one: bytes, other: bytes) -> bytes:
    length = next((index for index, pair in enumerate(zip(one, other, strict=False)) if len(set(pair)) > 1), None)
    return one[: min(len(one), len(other)) if length is None else length]


def _number(row: bytes, alphabet: bytes) -> int:
    value = 0
    for byte in row[:DIGITS].ljust(DIGITS, alphabet[:1]):
        value = value * len(alphabet) + alphabet.index(byte)
    return value


def _digits(value: int, alphabet: bytes) -> bytes:
    made = bytearray()
    for _ in range(DIGITS):
        value, digit = divmod(value, len(alphabet))
        made.append(alphabet[digit])
    return bytes(reversed(made)).rstrip(alphabet[:1])
