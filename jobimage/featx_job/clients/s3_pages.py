"""Pages of long listings from obstore, as long as they show a bucket's keys as they are.

obstore's paths are stricter than S3's keys, and it does not ask for URL-encoded ones: a page that it may not show
faithfully comes from minio (`clients/s3.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from operator import attrgetter, lt
from typing import Any, NamedTuple

from obstore.exceptions import BaseError
from obstore.store import S3Store

PAGE_KEYS = 1000  # as many as S3 puts into one answer
FIRST_AFTER_SLASH = chr(ord("/") + 1)
REPLACED = "\N{REPLACEMENT CHARACTER}"  # sent by stores written in Go for what XML can't carry


class StoredObject(NamedTuple):
    """An object of a bucket.

    Attributes:
        key: Its full key.
        size: In bytes.
        version: Its etag; the time of its last change if the store has no etags.
    """

    key: str
    size: int
    version: str


class Unfaithful(Exception):
    """obstore's listing failed, or may show other keys than the bucket has."""


def faithful(store: S3Store, prefix: str, after: str) -> Iterator[list[StoredObject]]:
    """Yield pages of obstore's listing, without its last object, so that minio, which confirms the end, lists that one.

    A key that ends with a slash loses it. That shows if the object is empty, if its key is out of order then, or if
    the folder of that name has objects. Otherwise the executor that reads it finds out (`ObjectReader`).

    Args:
        store: The bucket.
        prefix: Start of all keys.
        after: Only keys after this one are listed.

    Raises:
        Unfaithful: Before the first page that may differ from the bucket.
    """
    folder = prefix[: prefix.rfind("/") + 1]
    if folder != prefix and not after:
        raise Unfaithful  # obstore starts at folders
    if after.endswith("/") or folder.startswith("/") or (not folder and after < FIRST_AFTER_SLASH):
        raise Unfaithful  # object_store strips slashes at the ends of keys
    last: list[StoredObject] = []  # of the page before: whether it is faithful shows in the next key
    try:
        for batch in store.list(folder, offset=after or None, chunk_size=PAGE_KEYS):
            page = [StoredObject(entry["path"], entry["size"], _version(entry)) for entry in batch]
            inside = [stored for stored in page if stored.key.startswith(prefix)] if folder != prefix else page
            if not _is_faithful(after, [*last, *inside]):
                raise Unfaithful
            page_ends = len(inside) < len(page)
            complete = [*last, *inside] if page_ends else [*last, *inside[:-1]]
            last = [] if page_ends else inside[-1:]
            if complete:
                yield complete
                after = complete[-1].key
            if page_ends:
                return
    except (BaseError, OSError, ValueError):
        raise Unfaithful from None


def _is_faithful(after: str, objects: list[StoredObject]) -> bool:
    """Whether obstore has shown keys as they are: an empty object may be a folder's marker, without its slash."""
    keys = [after, *(stored.key for stored in objects)] if after else [stored.key for stored in objects]
    following = keys[1:]
    # Loops in C: this runs for each of 10^8 keys.
    if not (all(map(attrgetter("size"), objects)) and all(map(lt, keys, following)) and REPLACED not in "".join(keys)):
        return False
    return not any(map(str.startswith, following, keys)) or not any(
        other.startswith(f"{key}/") for key, other in pairwise(keys)
    )


def _version(entry: Any) -> str:
    return (entry["e_tag"] or "").strip('"') or entry["last_modified"].isoformat()
