"""Lists a bucket's folders side by side: a store gives a thousand keys an answer, and hundreds of millions take days.

A folder is opened where one answer tells all that is in it, until there are folders enough for all threads; then each
is listed whole. So neither a flat bucket nor a million folders of one picture cost more answers than they must.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from featx_job.sources import Listed

PAGE = 1000  # entries in one answer of S3 (ListObjectsV2)
THREADS = 16
ENOUGH = 4 * THREADS


class Page(NamedTuple):
    """What the first answer shows of a folder: its own objects, and the folders in it."""

    objects: list[Listed]
    folders: list[str]

    @property
    def is_all(self) -> bool:
        """Returns whether there is nothing more in the folder itself."""
        return len(self.objects) + len(self.folders) < PAGE


def everything(page: Callable[[str], Page], below: Callable[[str], list[Listed]], prefix: str) -> Iterator[Listed]:
    """Yields all objects below a prefix, in no order.

    Args:
        page: Returns what the first answer shows of a folder.
        below: Returns all objects below a folder, however deep.
        prefix: Of all keys.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        to_open, to_list = [prefix], list[str]()
        while to_open and len(to_open) + len(to_list) < ENOUGH:
            opened, to_open = to_open, []
            for folder, found in zip(opened, pool.map(page, opened), strict=True):
                if found.is_all:
                    yield from _pictures(found.objects)
                    to_open += found.folders
                else:
                    to_list.append(folder)
        for objects in pool.map(below, to_list + to_open):
            yield from _pictures(objects)


def _pictures(objects: list[Listed]) -> Iterator[Listed]:
    # Some tools mark a folder by an empty object of its name.
    return (each for each in objects if each.key and not each.key.endswith("/"))
