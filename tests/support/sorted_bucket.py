"""A bucket in memory that lists as a store does, in small pages; its keys may change while it is listed."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator

from featx_job.clients.s3 import FolderPage
from featx_job.clients.s3_pages import StoredObject


def by_bytes(key: str) -> bytes:
    """The order of most stores."""
    return key.encode()


def by_folder(key: str) -> bytes:
    """The order of stores that keep folders as such: a folder's keys come before its name with any other letter."""
    return key.replace("/", "\0").encode()


class SortedBucket:
    """Some keys, and what was asked for.

    Attributes:
        asked: Number of requests for pages.
        probes: Number of requests for a single key.
        change: Called before each answer, to change the keys.
        answered: Notified after each request for a page.
    """

    def __init__(self, keys: Iterable[str], page: int, order: Callable[[str], bytes] = by_bytes) -> None:
        self.asked = self.probes = 0
        self.change: Callable[[SortedBucket], None] = lambda _: None
        self.answered = threading.Condition(threading.RLock())
        self._page, self._order, self._keys = page, order, sorted(keys, key=order)

    @property
    def keys(self) -> list[str]:
        """The keys at present, in the order of the store."""
        return self._keys

    def add(self, key: str) -> None:
        """Add a key."""
        self._keys = sorted({*self._keys, key}, key=self._order)

    def remove(self, key: str) -> None:
        """Remove a key, if it is there."""
        self._keys = [each for each in self._keys if each != key]

    def pages(self, prefix: str, after: str = "") -> Iterator[list[StoredObject]]:
        """Like `featx_job.clients.s3.Bucket.pages`."""
        more = True
        while more:
            with self.answered:
                self.asked += 1
                keys = self._after(prefix, after)
                page, more = keys[: self._page], len(keys) > self._page
                self.answered.notify_all()
            if page:
                yield [StoredObject(key, 1, "") for key in page]
                after = page[-1]

    def below(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        """Like `featx_job.clients.s3.Bucket.below`."""
        for page in self.pages(prefix, after):
            yield from page

    def next_key(self, prefix: str, after: str) -> str | None:
        """Like `featx_job.clients.s3.Bucket.next_key`."""
        with self.answered:
            self.probes += 1
            return next(iter(self._after(prefix, after)), None)

    def folder(self, prefix: str) -> FolderPage:
        """Like `featx_job.clients.s3.Bucket.folder`."""
        with self.answered:
            names = dict.fromkeys(
                prefix + name + slash
                for key in self._after(prefix, "")
                for name, slash, _ in [key.removeprefix(prefix).partition("/")]
            )
        page = list(names)[: self._page]
        objects = [StoredObject(name, 1, "") for name in page if not name.endswith("/")]
        return FolderPage(objects, [name for name in page if name.endswith("/")], len(page) < len(names))

    def _after(self, prefix: str, after: str) -> list[str]:
        self.change(self)
        start = bisect_right(self._keys, self._order(after), key=self._order) if after else 0
        return [key for key in self._keys[start:] if key.startswith(prefix)]
