"""Pictures that are objects of an S3-compatible store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeVar

from featx_api.sources import S3Source
from minio import Minio
from minio.datatypes import Object
from minio.error import S3Error

from featx_job.sources import Listed, listing
from featx_job.sources.listing import Page
from featx_job.stores import asking

FIELD = "spec.source.s3"
Answer = TypeVar("Answer")


class BucketSource:
    """`ObjectSource` below a prefix of a bucket, in the order in which stores list: that of the keys' bytes."""

    def __init__(self, client: Minio, source: S3Source, patience: float) -> None:
        """Uses a bucket.

        Args:
            client: Reaches the store.
            source: The spec's words.
            patience: Seconds to wait for a store that does not answer.
        """
        self._client, self._source, self._patience = client, source, patience

    @property
    def base(self) -> str:
        """Implements `ObjectSource`."""
        return f"s3a://{self._source.bucket}/"

    def objects(self) -> Iterator[Listed]:
        """Implements `ObjectSource`: folders are listed side by side (`listing.py`)."""
        found = listing.everything(self._page, self._below, self._source.prefix)
        yield from sorted(found, key=lambda each: os.fsencode(each.key))

    def _page(self, prefix: str) -> Page:
        def first() -> Page:
            listed = self._client.list_objects(self._source.bucket, prefix or None)
            found = list(islice(listed, listing.PAGE))
            return Page(
                [_listed(each) for each in found if not each.is_dir],
                [str(each.object_name) for each in found if each.is_dir],
            )

        return self._asking(first)

    def _below(self, prefix: str) -> list[Listed]:
        def all_of_it() -> list[Listed]:
            found = self._client.list_objects(self._source.bucket, prefix or None, recursive=True)
            return [_listed(each) for each in found]

        return self._asking(all_of_it)

    def find(self, key: str) -> Listed | None:
        """Implements `ObjectSource`."""

        def stat() -> Listed | None:
            try:
                return _listed(self._client.stat_object(self._source.bucket, key))
            except S3Error as error:
                if error.code in ("NoSuchKey", "NoSuchObject"):
                    return None
                raise

        return self._asking(stat)

    def read(self, key: str) -> bytes:
        """Implements `ObjectSource`."""

        def get() -> bytes:
            with self._client.get_object(self._source.bucket, key) as response:
                return bytes(response.read())

        return self._asking(get)

    def _asking(self, question: Callable[[], Answer]) -> Answer:
        return asking(self._source, FIELD, self._source.bucket, self._patience, question)


def _listed(found: Object) -> Listed:
    return Listed(str(found.object_name), found.size or 0, found.etag or "")
