"""Guesses which text has about so many keys before it, from a few keys that were listed. Pure.

A guess may be wrong: it only decides where a listing is split, and any split is correct. Keys are read as numbers of
which each place has digits of its own, those that keys have there: so `img-0999` is followed by `img-1000`, and a UUID
has no letters beyond `f`. Unlike `key_ranges`, which knows all of a table's bounds, this only looks ahead.
"""

from __future__ import annotations

import string
from bisect import bisect_left
from collections.abc import Iterable
from itertools import zip_longest
from typing import NamedTuple

PLACES = 12  # that count, after what two keys have in common
LAST = "\U0010fffd"  # sorts after whatever keys hold
LETTERS = 64  # keys of a page whose letters are looked at
_KINDS = tuple(
    frozenset(kind)
    for kind in (
        string.digits,
        string.digits + "abcdef",
        string.digits + "ABCDEF",
        string.digits + string.ascii_lowercase,
        string.digits + string.ascii_uppercase,
        string.digits + string.ascii_letters,
    )
)


class Sample(NamedTuple):
    """Keys that follow one another in a listing.

    Attributes:
        first: The first key.
        last: The last key.
        keys: Number of keys after the first, up to the last.
        some: Keys between them, for their letters.
    """

    first: str
    last: str
    keys: int
    some: tuple[str, ...]

    @classmethod
    def of(cls, keys: list[str]) -> Sample:
        """Return the sample that a page of a listing is; it needs two keys."""
        return cls(keys[0], keys[-1], len(keys) - 1, tuple(keys[:: max(1, len(keys) // LETTERS)]))


def guess(after: str, keys: int, sample: Sample) -> str | None:
    """Return a text that has about this many keys between itself and another.

    Where keys begin as others in the sample do, there may be fewer: then all of these are before the text. None if no
    text has as many, as far as the sample tells.

    Args:
        after: The other text.
        keys: How many.
        sample: Keys close to it; a source's keys are not spread evenly.
    """
    low, high = sample.first, sample.last
    shared = next((place for place, (one, other) in enumerate(zip(low, high, strict=False)) if one != other), len(low))
    digits = _digits((after, low, high, *sample.some), shared + PLACES)
    distance = max(1, (_number(high, digits) - _number(low, digits)) * keys // sample.keys)
    return _text(_number(after, digits) + distance, digits) or (low[:shared] + LAST if shared else None)


def _digits(keys: Iterable[str], places: int) -> list[str]:
    """Return the letters of each place, in order. A place that has one letter of a kind may have all of the kind."""
    seen = [set("".join(letters)) for letters in zip_longest(*(key[:places] for key in keys), fillvalue="")]
    varying = {letter for letters in seen if len(letters) > 1 for letter in letters if letter in _KINDS[-1]}
    kind = next(kind for kind in _KINDS if varying <= kind)
    return ["".join(sorted(letters | kind if letters & kind else letters)) for letters in seen]


def _number(key: str, digits: list[str]) -> int:
    value = 0
    for place, letters in enumerate(digits):
        digit = bisect_left(letters, key[place]) if place < len(key) else 0
        value = value * len(letters) + digit
    return value


def _text(value: int, digits: list[str]) -> str | None:
    """Return a number as text, or None if it has more digits than there are places."""
    text = []
    for letters in reversed(digits):
        value, digit = divmod(value, len(letters))
        text.append(letters[digit])
    return None if value else "".join(reversed(text))
