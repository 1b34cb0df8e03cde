"""Files in a bucket: objects below a prefix, which a store shows whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TypeVar

from featx_api.failures import FailureClass
from featx_api.source import StoreAccess
from minio import Minio
from minio.commonconfig import CopySource
from minio.deleteobjects import DeleteObject
from minio.error import S3Error

from featx_job.clients.s3 import asking
from featx_job.failures import RunFailure
from featx_job.table.storage import StoredFile

T = TypeVar("T")


class BucketStorage:
    """`Storage` below a prefix of a bucket."""

    def __init__(
        self, client: Minio, access: StoreAccess, field: str, bucket: str, prefix: str, patience: float
    ) -> None:
        """Uses a prefix.

        Args:
            client: Reaches the store.
            access: How the spec says so, for messages.
            field: Where in the spec that stands.
            bucket: The bucket.
            prefix: Without slashes at its ends.
            patience: Seconds to wait for a store that does not answer.
        """
        self._client = client
        self._bucket = bucket
        self._prefix = prefix.strip("/")
        self._access, self._field, self._patience = access, field, patience

    def _ask(self, call: Callable[[], T]) -> T:
        return asking(self._access, self._field, self._bucket, self._patience, call)

    def _key(self, path: str) -> str:
        return f"{self._prefix}/{path}"

    @property
    def hadoop_uri(self) -> str:
        """Implements `Storage`."""
        return f"s3a://{self._bucket}/{self._prefix}"

    def make(self) -> None:
        """Implements `Storage`: a bucket has no folders."""

    def read(self, path: str) -> bytes | None:
        """Implements `Storage`."""

        def get() -> bytes | None:
            try:
                with self._client.get_object(self._bucket, self._key(path)) as response:
                    return bytes(response.read())
            except S3Error as error:
                if error.code in ("NoSuchKey", "NoSuchObject"):
                    return None
                raise

        return self._ask(get)

    def write(self, path: str, data: bytes) -> None:
        """Implements `Storage`."""
        self._ask(lambda: self._client.put_object(self._bucket, self._key(path), io.BytesIO(data), len(data)))

    def create(self, path: str, data: bytes) -> bool:
        """Implements `Storage`: by a conditional write, which S3 has since 2024."""

        def put() -> bool:
            try:
                # The client has no public way to a condition.
                self._client._execute("PUT", self._bucket, self._key(path), body=data, headers={"If-None-Match": "*"})
            except S3Error as error:
                if error.code in ("PreconditionFailed", "ConditionalRequestConflict"):
                    return False
                if error.code == "NotImplemented":
                    message = (
                        f"{self._field}: the store does not support conditional writes, which Delta tables require"
                    )
                    raise RunFailure(
                        FailureClass.OUTPUT_NOT_WRITABLE, f"{message}; use spec.output.format parquet"
                    ) from None
                raise
            return True

        return self._ask(put)

    def files(self, folder: str) -> list[StoredFile]:
        """Implements `Storage`."""
        start = len(self._prefix) + 1

        def listed() -> list[StoredFile]:
            below = self._key(f"{folder.strip('/')}/" if folder else "")
            found = self._client.list_objects(self._bucket, below, recursive=True)
            return sorted(
                StoredFile(str(each.object_name)[start:], each.size or 0)
                for each in found
                if not str(each.object_name).endswith("/")
            )

        return self._ask(listed)

    def move(self, source: str, target: str) -> None:
        """Implements `Storage`: copied inside the store, then removed."""

        def copy() -> None:
            try:
                from_ = CopySource(self._bucket, self._key(source))
                self._client.copy_object(self._bucket, self._key(target), from_)
            except S3Error as error:
                if error.code not in ("NoSuchKey", "NoSuchObject"):
                    raise
                self._client.stat_object(self._bucket, self._key(target))

        self._ask(copy)
        self.remove([source])

    def remove(self, paths: list[str]) -> None:
        """Implements `Storage`."""
        objects = [DeleteObject(self._key(path)) for path in paths]
        self._ask(lambda: list(self._client.remove_objects(self._bucket, objects)))
