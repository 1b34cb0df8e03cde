"""Files in a bucket: objects below a prefix, which a store shows whole or not at all."""

from __future__ import annotations

from featx_job.clients.s3 import Bucket
from featx_job.table.storage import StoredFile


class BucketStorage:
    """`Storage` below a prefix of a bucket."""

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        """Use a prefix.

        Args:
            bucket: The bucket.
            prefix: Without slashes at its ends.
        """
        self._bucket, self._prefix = bucket, prefix.strip("/")

    def _key(self, path: str) -> str:
        return f"{self._prefix}/{path}"

    @property
    def hadoop_uri(self) -> str:
        """Implements `Storage`."""
        return f"s3a://{self._bucket.name}/{self._prefix}"

    def make(self) -> None:
        """Implements `Storage`: a bucket has no folders."""

    def read(self, path: str) -> bytes | None:
        """Implements `Storage`."""
        return self._bucket.read(self._key(path))

    def write(self, path: str, data: bytes) -> None:
        """Implements `Storage`."""
        self._bucket.write(self._key(path), data)

    def create(self, path: str, data: bytes) -> bool:
        """Implements `Storage` by a conditional write."""
        return self._bucket.create(self._key(path), data)

    def files(self, folder: str) -> list[StoredFile]:
        """Implements `Storage`."""
        start = len(self._prefix) + 1
        below = self._key(f"{folder.strip('/')}/" if folder else "")
        objects = self._bucket.below(below)
        return sorted(StoredFile(stored.key[start:], stored.size) for stored in objects if stored.key[-1] != "/")

    def move(self, source: str, target: str) -> None:
        """Implements `Storage`."""
        self._bucket.move(self._key(source), self._key(target))

    def remove(self, paths: list[str]) -> None:
        """Implements `Storage`."""
        self._bucket.remove([self._key(path) for path in paths])
