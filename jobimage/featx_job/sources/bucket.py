"""Pictures that are objects of an S3-compatible store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from featx_api.sources import S3Source
from minio import Minio

from featx_job.sources import Listed
from featx_job.stores import asking

FIELD = "spec.source.s3"
Answer = TypeVar("Answer")


class BucketSource:
    """`Source` below a prefix of a bucket, in the order in which stores list: that of the keys' bytes."""

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
        """Implements `Source`."""
        return f"s3a://{self._source.bucket}/"

    def objects(self) -> Iterator[Listed]:
        """Implements `Source`."""

        def listed() -> list[Listed]:
            found = self._client.list_objects(self._source.bucket, self._source.prefix or None, recursive=True)
            return [Listed(str(each.object_name), each.size or 0) for each in found if not _is_folder(each.object_name)]

        yield from self._asking(listed)

    def read(self, key: str) -> bytes:
        """Implements `Source`."""

        def get() -> bytes:
            with self._client.get_object(self._source.bucket, key) as response:
                return bytes(response.read())

        return self._asking(get)

    def _asking(self, question: Callable[[], Answer]) -> Answer:
        return asking(self._source, FIELD, self._source.bucket, self._patience, question)


def _is_folder(key: str | None) -> bool:
    """Returns whether this is the empty object by which some tools mark a folder."""
    return not key or key.endswith("/")
