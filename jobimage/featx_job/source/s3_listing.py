"""Lists a bucket in key order: a store returns a thousand keys per request, and there may be 10^9.

Most stores list keys in the order of their bytes, whatever their folders. These are listed by ranges (`s3_ranges`).
Some keep folders as such, and list `a/b` before `a.b`. These are listed folder by folder, and then sorted.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Protocol

from featx_job.clients.s3 import FolderPage
from featx_job.clients.s3_pages import StoredObject
from featx_job.source import s3_ranges
from featx_job.source.disk_sort import sorted_by_key
from featx_job.source.s3_ranges import RangeListing, UnorderedError

LOG = logging.getLogger(__name__)
THREADS = 16
ENOUGH = 2 * THREADS  # folders; opening one costs as much CPU time as listing four pages
PART = 1000  # objects


class FolderLister(Protocol):
    """A bucket, as far as its folders are listed (`featx_job.clients.s3.Bucket`)."""

    def folder(self, prefix: str) -> FolderPage:
        """The first page of what is directly below a prefix."""

    def below(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        """Yield all objects below a prefix after a key, in the store's order."""


class Lister(s3_ranges.Lister, FolderLister, Protocol):
    """A bucket, as far as it is listed."""


def in_key_order(bucket: Lister, prefix: str, after: str = "") -> Iterator[StoredObject]:
    """Yield all objects below a prefix in the order of their keys' bytes, in bounded memory.

    Args:
        bucket: The bucket.
        prefix: Start of all keys.
        after: Only keys after this one are listed.

    Raises:
        UnorderedError: The store lists them in no order.
        RunFailure: It can't be listed.
    """
    if not after.startswith(prefix):
        if after > prefix:
            return
        after = ""
    last = after
    try:
        for page in RangeListing(bucket, prefix, after).pages():
            yield from _images(page)
            last = page[-1].key
        return
    except UnorderedError as error:
        if last != after and not error.by_folder:
            raise
        LOG.info("the store does not list keys in the order of their bytes: they are sorted on disk")
    yield from sorted_by_key(everything(bucket, prefix), last)


def everything(bucket: FolderLister, prefix: str) -> Iterator[StoredObject]:
    """Yield all objects below a prefix, in no order.

    A folder is opened if one page holds all of it, until there are enough folders for all threads; then each is listed
    whole. So neither a flat bucket nor a million folders of one image each take more requests than necessary.

    Args:
        bucket: The bucket.
        prefix: Start of all keys.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        to_open, to_list = [prefix], list[tuple[str, str]]()
        while to_open and len(to_open) + len(to_list) < ENOUGH:
            opened, to_open = to_open, []
            for folder, page in zip(opened, pool.map(bucket.folder, opened), strict=True):
                if page.more and page.folders:
                    to_list.append((folder, ""))
                    continue
                yield from _images(page.objects)
                to_open += page.folders
                if page.more:
                    to_list.append((folder, page.objects[-1].key))
        to_list += [(folder, "") for folder in to_open]
        yield from _side_by_side(bucket, to_list, pool)


def _side_by_side(
    bucket: FolderLister, folders: Iterable[tuple[str, str]], pool: ThreadPoolExecutor
) -> Iterator[StoredObject]:
    """Yield the objects of folders, each after a key, by parts: only a part of each open folder is in memory."""
    listings = (_images(bucket.below(*folder)) for folder in folders)
    parts = deque(pool.submit(_part, listing) for listing in islice(listings, THREADS))
    while parts:
        listing, objects = parts.popleft().result()
        following = listing if len(objects) == PART else next(listings, None)
        if following is not None:
            parts.append(pool.submit(_part, following))
        yield from objects


def _part(listing: Iterator[StoredObject]) -> tuple[Iterator[StoredObject], list[StoredObject]]:
    return listing, list(islice(listing, PART))


def _images(objects: Iterable[StoredObject]) -> Iterator[StoredObject]:
    # Some tools mark a folder by an empty object of its name; with content it is an object like others.
    return (stored for stored in objects if stored.key and (stored.size or not stored.key.endswith("/")))
