"""Lists a bucket by ranges of its keys, several at a time, and yields the pages in key order and in bounded memory.

A store sends a thousand keys per request, each page after the one before: a billion keys of one folder would take days.
So a listing that proves long is split at guessed keys (`key_guesses`), each confirmed by a request for the next key.
Ranges are short, since a page that is far from being yielded only takes memory. Whatever the guesses are, the ranges
after, up to and including each of these keys hold every key once, whichever come and go meanwhile.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from operator import lt
from typing import Protocol

from featx_job.clients.s3_pages import PAGE_KEYS, StoredObject
from featx_job.source.key_guesses import LAST, Sample, guess

CONNECTIONS = 16
PROBES = 4  # sent at a time
LONG = 4  # pages of a listing that is worth splitting
RANGE = 8  # pages that a range is to have
MOST_WAITING = 128  # pages, of 0.3 MB each; every connection may add one
MOST_NEAR = 64  # those that are yielded first, for which there is room when others have filled it


class Lister(Protocol):
    """A bucket, as far as ranges are listed (`featx_job.clients.s3.Bucket`)."""

    def pages(self, prefix: str, after: str = "") -> Iterator[list[StoredObject]]:
        """Yield all objects below a prefix after a key, in the store's order."""

    def next_key(self, prefix: str, after: str) -> str | None:
        """The first key below a prefix after a text."""


class UnorderedError(Exception):
    """The store does not list keys in the order of their bytes.

    Attributes:
        by_folder: Whether it lists each folder in order, so that all pages before were in both orders.
    """

    def __init__(self, *, by_folder: bool) -> None:
        super().__init__("the store does not list keys in the order of their bytes")
        self.by_folder = by_folder


@dataclass(eq=False)
class Range:
    """The keys after one and up to another.

    Attributes:
        last: The last key that was listed; first the one before the range.
        until: The last key that may be in the range; None for no end.
        sample: Keys in the range, or shortly before it.
        split_at: Pages after which it counts as large.
        pages: Listed, and not yielded yet.
        listed: Number of pages so far.
        begun: Whether it is being listed, or was.
        done: Whether all of it was listed.
    """

    last: str
    until: str | None
    sample: Sample | None
    split_at: int
    pages: deque[list[StoredObject]] = field(default_factory=deque)
    listed: int = 0
    begun: bool = False
    done: bool = False

    def take(self, page: list[StoredObject]) -> int:
        """Add what is in the range of a page that follows those before; returns the number of pages added."""
        found = [stored.key for stored in page]
        if self.until is not None and found[-1] >= self.until:
            self.done = True
            page = page[: bisect_right(found, self.until)]
        if not page:
            return 0
        if len(page) > 1:
            self.sample = Sample.of(found[: len(page)])
        self.pages.append(page)
        self.listed, self.last = self.listed + 1, page[-1].key
        return 1

    def split(self, bounds: list[str]) -> list[Range]:
        """End this range at the first of some increasing keys in it; returns the ranges of the others."""
        ends = [*bounds[1:], self.until]
        later = [Range(start, end, self.sample, 2 * RANGE) for start, end in zip(bounds, ends, strict=True)]
        later[-1].split_at = 0  # nobody knows how large it is
        self.until, self.split_at = bounds[0], self.listed + 2 * RANGE
        return later

    def leave(self) -> Range:
        """End this range at what was listed; returns the rest."""
        rest = Range(self.last, self.until, self.sample, max(0, self.split_at - self.listed))
        self.until, self.done = self.last, True
        return rest


class RangeListing:
    """A listing in progress."""

    def __init__(self, bucket: Lister, prefix: str, after: str = "") -> None:
        """Prepare to list the keys with a prefix after a key."""
        self._bucket, self._prefix = bucket, prefix
        self._ranges = [Range(after, None, None, LONG)]  # in order; the first one's pages are yielded
        self._waiting = 0  # pages of all ranges
        self._is_ordered = False  # whether that is certain for keys in folders
        self._is_closed = False
        self._failure: BaseException | None = None
        self._changed = threading.Condition()

    def pages(self) -> Iterator[list[StoredObject]]:
        """Yield all pages, once.

        Raises:
            UnorderedError: The keys that are left come in another order than that of their bytes.
            RunFailure: The store can't be listed.
        """
        self._check_start(self._ranges[0].last)
        with ThreadPoolExecutor(CONNECTIONS + 1) as pool:
            try:
                for work in (*[self._list_ranges] * CONNECTIONS, self._split_ranges):
                    pool.submit(self._guarded, work)
                while page := self._next_page():
                    yield page
            finally:
                with self._changed:
                    self._is_closed = True
                    self._changed.notify_all()

    def _next_page(self) -> list[StoredObject] | None:
        with self._changed:
            while True:
                if self._failure:
                    raise self._failure
                first = self._ranges[0]
                if first.pages:
                    self._waiting -= 1
                    self._changed.notify_all()
                    return first.pages.popleft()
                if not first.done:
                    self._changed.wait()
                elif len(self._ranges) == 1:
                    return None
                else:
                    del self._ranges[0]
                    self._changed.notify_all()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            with self._changed:
                self._failure = self._failure or error
                self._is_closed = True
                self._changed.notify_all()

    def _list_ranges(self) -> None:
        while range_ := self._first(self._to_list):
            for page in self._bucket.pages(self._prefix, range_.last):
                self._check_order(range_.last, [stored.key for stored in page])
                if not self._take(range_, page):
                    break
            else:
                with self._changed:
                    range_.done = True
                    self._changed.notify_all()

    def _first(self, choose: Callable[[], Range | None]) -> Range | None:
        """Wait for a range to work on; None if nothing is left to do."""
        with self._changed:
            while not self._is_closed and not all(range_.done for range_ in self._ranges):
                if range_ := choose():
                    return range_
                self._changed.wait()
            return None

    def _to_list(self) -> Range | None:
        range_ = next((range_ for range_ in self._ranges if not range_.begun), None)
        if range_ is None or not self._has_room(range_):
            return None
        range_.begun = True
        return range_

    def _has_room(self, range_: Range) -> bool:
        before = self._ranges[: self._ranges.index(range_) + 1]
        near = sum(len(each.pages) for each in before) < MOST_NEAR
        most = MOST_WAITING + MOST_NEAR if near else MOST_WAITING
        return self._waiting < most or (len(before) == 1 and not range_.pages)

    def _take(self, range_: Range, page: list[StoredObject]) -> bool:
        """Add a page to a range; returns whether its listing goes on."""
        with self._changed:
            self._waiting += range_.take(page)
            if not range_.done and not self._has_room(range_):
                self._insert(range_, [range_.leave()])  # so that earlier ranges come first
            self._changed.notify_all()
            return not (range_.done or self._is_closed)

    def _insert(self, before: Range, ranges: list[Range]) -> None:
        place = self._ranges.index(before) + 1
        self._ranges[place:place] = ranges

    def _split_ranges(self) -> None:
        with ThreadPoolExecutor(PROBES) as pool:
            while range_ := self._first(self._to_split):
                assert range_.sample
                wanted = (RANGE * PAGE_KEYS * number for number in range(1, PROBES + 1))
                guesses = {text for keys in wanted if (text := guess(range_.last, keys, range_.sample))}
                found = set(pool.map(lambda text: self._bucket.next_key(self._prefix, text), guesses))
                with self._changed:
                    self._split(range_, {key for key in found if key})
                    self._changed.notify_all()

    def _to_split(self) -> Range | None:
        ahead = 0
        for range_ in self._ranges:
            if range_.sample and not range_.done and range_.listed >= range_.split_at:
                return range_ if ahead < CONNECTIONS else None
            ahead += not range_.begun
        return None

    def _split(self, range_: Range, found: set[str]) -> None:
        bounds = sorted(key for key in found if range_.last < key and (range_.until is None or key < range_.until))
        if range_.done:
            return
        if bounds:
            self._insert(range_, range_.split(bounds))
        else:  # it has few keys left, or others than before
            range_.split_at = max(2 * range_.listed, range_.listed + 2)

    def _check_order(self, after: str, found: list[str]) -> None:
        """Raise unless keys are in the order of bytes. Up to the first key in a folder, other orders are the same."""
        if not self._is_ordered and "".join(found).count("/") > len(found) * self._prefix.count("/"):
            key = next(key for key in found if "/" in key[len(self._prefix) :])
            self._check_folder(key[: key.index("/", len(self._prefix))])
        if after >= found[0] or not all(map(lt, found, found[1:])):
            raise UnorderedError(by_folder=False)

    def _check_start(self, after: str) -> None:
        """Raise if a store that keeps folders may have listed some before this key that come after it."""
        for place in range(len(self._prefix), len(after)):
            folder = after[:place]
            if after[place] <= "/" and self._bucket.next_key(f"{folder}/", ""):
                return self._check_folder(folder)

    def _check_folder(self, folder: str) -> None:
        """Raise if the store lists `a/b` before `a.b`, as those do that keep folders as such."""
        following = self._bucket.next_key(self._prefix, f"{folder}.{LAST}")
        if following is None or not following.startswith(f"{folder}/"):
            raise UnorderedError(by_folder=True)
        self._is_ordered = True
