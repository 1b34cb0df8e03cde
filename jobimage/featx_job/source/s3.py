"""Images that are objects of an S3-compatible store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TypeVar
from xml.etree import ElementTree

from featx_api.source import S3Source
from minio import Minio
from minio.error import S3Error

from featx_job.clients.s3 import asking
from featx_job.source import s3_listing
from featx_job.source.objects import SourceObject
from featx_job.source.s3_listing import Page

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

    def objects(self) -> Iterator[SourceObject]:
        """Implements `ObjectSource`: folders are listed side by side (`listing.py`)."""
        found = s3_listing.everything(self._page, self._source.prefix)
        yield from sorted(found, key=lambda each: os.fsencode(each.key))

    def _page(self, prefix: str, *, folders: bool, after: str = "") -> Page:
        asked = {"list-type": "2", "prefix": prefix, "delimiter": "/" if folders else "", "max-keys": "1000"}
        asked |= {"start-after": after} if after else {}

        def answer() -> Page:
            # As list_objects does, which takes 35 microseconds a key to say what is not asked here: most of the time
            # of a million keys.
            response = self._client._execute("GET", self._source.bucket, query_params=dict(asked))
            return _read(response.data)

        return self._asking(answer)

    def find(self, key: str) -> SourceObject | None:
        """Implements `ObjectSource`."""

        def stat() -> SourceObject | None:
            try:
                found = self._client.stat_object(self._source.bucket, key)
                return SourceObject(key, found.size or 0, found.etag or "")
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


def _read(answer: bytes) -> Page:
    """Returns what an answer to ListObjectsV2 says."""
    root = ElementTree.fromstring(answer)
    space = root.tag[: root.tag.rindex("}") + 1] if "}" in root.tag else ""
    key, size, etag, modified = (f"{space}{name}" for name in ("Key", "Size", "ETag", "LastModified"))
    objects = [
        SourceObject(
            each.findtext(key, ""),
            int(each.findtext(size, "0")),
            each.findtext(etag, "").strip('"') or each.findtext(modified, ""),
        )
        for each in root.iterfind(f"{space}Contents")
    ]
    folders = [each.findtext(f"{space}Prefix", "") for each in root.iterfind(f"{space}CommonPrefixes")]
    return Page(objects, folders, root.findtext(f"{space}IsTruncated") == "true")
