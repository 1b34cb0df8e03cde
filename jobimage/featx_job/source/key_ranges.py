"""Splits a table of sorted rows into ranges: by region, and large regions by where their rows lie. Pure.

Rows are arbitrary byte strings: decimal numbers, hexadecimal hashes, binary keys after a salt. Positions between two
rows are computed in the digits that the rows use. In plain bytes, nine out of ten splits of `img-0000` to `img-9999`
would have no rows between them.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

END = b""
DIGITS = 12  # after the common prefix; only a region of more than 10^12 rows would need more
ALPHABETS = (
    string.digits.encode(),
    b"0123456789abcdef",
    b"0123456789ABCDEF",
    bytes(sorted((string.digits + string.ascii_letters + "-_./:").encode())),
)
ALL_BYTES = bytes(range(256))


class Range(NamedTuple):
    """Rows from `start` (empty: the first) up to and excluding `stop` (empty: no end)."""

    start: bytes
    stop: bytes

    def intersection(self, other: Range) -> Range | None:
        """Return the rows that are in both ranges, or None."""
        start = max(self.start, other.start)
        stop = min((bound for bound in (self.stop, other.stop) if bound != END), default=END)
        return Range(start, stop) if stop == END or start < stop else None


class Region(NamedTuple):
    """A region of the table, and its size on its server in bytes."""

    range: Range
    size: int


def with_prefix(prefix: bytes) -> Range:
    """Return the range of all rows with this prefix."""
    stop = prefix.rstrip(b"\xff")
    return Range(prefix, stop[:-1] + bytes([stop[-1] + 1]) if stop else END)


def salted(wanted: Range, salts: Sequence[bytes]) -> list[Range]:
    """Return the ranges that hold a range's rows when each is prefixed with one of the salts."""
    if not salts:
        return [wanted]
    return [Range(salt + wanted.start, salt + wanted.stop if wanted.stop else with_prefix(salt).stop) for salt in salts]


def clip(regions: Iterable[Region], wanted: Sequence[Range]) -> list[Region]:
    """Return the parts of regions inside the wanted ranges, in row order; each keeps its whole region's size."""
    return sorted(
        Region(part, region.size)
        for region in regions
        for wanted_range in wanted
        if (part := region.range.intersection(wanted_range)) is not None
    )


def split(whole: Range, rows: Sequence[bytes], parts: int) -> list[Range]:
    """Split a range into parts that hold about the same number of rows.

    Args:
        whole: The range.
        rows: A sample of its rows, including the first and the last.
        parts: Desired number of parts; there may be fewer.
    """
    bounds = _evenly_spaced(min(rows), max(rows), rows, parts) if rows else []
    bounds = [bound for bound in bounds if whole.start < bound and (whole.stop == END or bound < whole.stop)]
    return [Range(start, stop) for start, stop in pairwise([whole.start, *bounds, whole.stop])]


def _evenly_spaced(first: bytes, last: bytes, rows: Sequence[bytes], parts: int) -> list[bytes]:
    """Return increasing rows at equal distances between two rows, measured in the digits that rows use."""
    prefix = _common_prefix(first, last)
    used = set(b"".join(row[len(prefix) :] for row in rows if row.startswith(prefix)))
    alphabet = next((alphabet for alphabet in ALPHABETS if used <= set(alphabet)), ALL_BYTES)
    low, high = (_number(row[len(prefix) :], alphabet) for row in (first, last))
    numbers = sorted({low + (high - low) * part // parts for part in range(1, parts)} - {low})
    return [prefix + _digits(number, alphabet) for number in numbers]


def _common_prefix(one: bytes, other: bytes) -> bytes:
    length = next((index for index, pair in enumerate(zip(one, other, strict=False)) if len(set(pair)) > 1), None)
    return one[: min(len(one), len(other)) if length is None else length]


def _number(row: bytes, alphabet: bytes) -> int:
    value = 0
    for byte in row[:DIGITS].ljust(DIGITS, alphabet[:1]):
        value = value * len(alphabet) + alphabet.index(byte)
    return value


def _digits(value: int, alphabet: bytes) -> bytes:
    digits = bytearray()
    for _ in range(DIGITS):
        value, digit = divmod(value, len(alphabet))
        digits.append(alphabet[digit])
    return bytes(reversed(digits)).rstrip(alphabet[:1])
