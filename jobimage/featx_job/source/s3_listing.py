"""Lists a bucket's folders in parallel: a store returns a thousand keys per request, and there may be 10^8.

A folder is opened if one page holds all of it, until there are enough folders for all threads; then each is listed
whole. So neither a flat bucket nor a million folders of one image each take more requests than necessary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from featx_job.clients.s3 import FolderPage
from featx_job.clients.s3_pages import StoredObject

THREADS = 16
ENOUGH = 2 * THREADS  # folders; opening one costs as much CPU time as listing four pages


class Lister(Protocol):
    """A bucket, as far as it is listed (`featx_job.clients.s3.Bucket`)."""

    def folder(self, prefix: str) -> FolderPage:
        """The first page of what is directly below a prefix."""

    def below(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        """Yield all objects below a prefix after a key, in key order."""


def everything(bucket: Lister, prefix: str) -> Iterator[StoredObject]:
    """Yield all objects below a prefix, in no order.

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
        for objects in pool.map(lambda rest: list(_images(bucket.below(*rest))), to_list):
            yield from objects


def _images(objects: Iterable[StoredObject]) -> Iterator[StoredObject]:
    # Some tools mark a folder by an empty object of its name; with content it is an object like others.
    return (stored for stored in objects if stored.key and (stored.size or not stored.key.endswith("/")))
