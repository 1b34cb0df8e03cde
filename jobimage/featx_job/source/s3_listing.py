"""Lists a bucket's folders side by side: a store gives a thousand keys an answer, and hundreds of millions take days.

A folder is opened where one answer tells all that is in it, until there are folders enough for all threads; then each
is listed whole. So neither a flat bucket nor a million folders of one image cost more answers than they must.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

from featx_job.source.objects import SourceObject

THREADS = 16
ENOUGH = 4 * THREADS


class Page(NamedTuple):
    """An answer, in the order of keys.

    Attributes:
        objects: Of the folder itself; or all below it, if folders were not asked for.
        folders: In the folder.
        more: Whether there is more behind them.
    """

    objects: list[SourceObject]
    folders: list[str]
    more: bool


class Ask(Protocol):
    """Asks a store."""

    def __call__(self, prefix: str, *, folders: bool, after: str = "") -> Page:
        """Returns an answer.

        Args:
            prefix: Of the keys.
            folders: Whether what has a further slash in its key is to be told as a folder.
            after: Only keys behind this one.
        """


def everything(ask: Ask, prefix: str) -> Iterator[SourceObject]:
    """Yields all objects below a prefix, in no order.

    Args:
        ask: The store.
        prefix: Of all keys.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        to_open, to_list = [prefix], list[tuple[str, str]]()
        while to_open and len(to_open) + len(to_list) < ENOUGH:
            opened, to_open = to_open, []
            for folder, page in zip(opened, pool.map(lambda each: ask(each, folders=True), opened), strict=True):
                if page.more and page.folders:
                    to_list.append((folder, ""))
                    continue
                yield from _images(page.objects)
                to_open += page.folders
                if page.more:
                    to_list.append((folder, page.objects[-1].key))
        to_list += [(folder, "") for folder in to_open]
        for objects in pool.map(lambda each: _below(ask, *each), to_list):
            yield from _images(objects)


def _below(ask: Ask, prefix: str, after: str) -> list[SourceObject]:
    found: list[SourceObject] = []
    while True:
        page = ask(prefix, folders=False, after=after)
        found += page.objects
        if not page.more:
            return found
        after = page.objects[-1].key


def _images(objects: list[SourceObject]) -> Iterator[SourceObject]:
    # Some tools mark a folder by an empty object of its name.
    return (each for each in objects if each.key and not each.key.endswith("/"))
