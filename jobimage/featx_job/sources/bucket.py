"""Pictures that are objects of an S3-compatible store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from featx_api.sources import S3Source
from minio import Minio
from minio.error import S3Error

from featx_job.shards import ListedShards, cut
from featx_job.sources import Listed, listed
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

    def shards(self, pictures: int, keys: Sequence[str] = ()) -> ListedShards:
        """Implements `Source`."""
        return cut(self.base, listed(self, keys), pictures)

    def objects(self) -> Iterator[Listed]:
        """Implements `Source`."""

        def all_of_it() -> list[Listed]:
            found = self._client.list_objects(self._source.bucket, self._source.prefix or None, recursive=True)
            return [Listed(str(each.object_name), each.size or 0) for each in found if not _is_folder(each.object_name)]

        yield from self._asking(all_of_it)

    def find(self, key: str) -> Listed | None:
        """Implements `ObjectSource`."""

        def stat() -> Listed | None:
            try:
                return Listed(key, self._client.stat_object(self._source.bucket, key).size or 0)
            except S3Error as error:
                if error.code in ("NoSuchKey", "NoSuchObject"):
                    return None
                raise

        return self._asking(stat)

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
