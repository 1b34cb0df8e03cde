"""Images that are objects of an S3-compatible store."""

from __future__ import annotations

from collections.abc import Iterator

from featx_api.failures import FailureClass

from featx_job.clients.s3 import Bucket
from featx_job.failures import RunFailure
from featx_job.source import keys, s3_listing
from featx_job.source.objects import SourceObject
from featx_job.source.s3_ranges import UnorderedError

FIELD = "spec.source.s3"
REFUSALS = (FailureClass.ACCESS_DENIED, FailureClass.STORE_ERROR)  # that may be one object's


class BucketSource:
    """`ObjectSource` below a prefix of a bucket, in the order of the keys' bytes, as stores list them."""

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        """Use a bucket.

        Args:
            bucket: The bucket.
            prefix: Start of the keys of all images.
        """
        self._bucket, self._prefix = bucket, prefix

    @property
    def base(self) -> str:
        """Implements `ObjectSource`."""
        return f"s3a://{self._bucket.name}/"

    @property
    def root(self) -> str:
        """Implements `ObjectSource`."""
        return keys.from_text(self._prefix[: self._prefix.rfind("/") + 1])

    @property
    def field(self) -> str:
        """Implements `ObjectSource`."""
        return FIELD

    @property
    def address(self) -> str:
        """Implements `ObjectSource`."""
        return f"s3://{self._bucket.name}/{self._prefix}"

    def objects(self, *, in_hidden_folders: bool = False, after: str = "") -> Iterator[SourceObject]:
        """Implements `ObjectSource`; keys are listed in parallel (`s3_listing`)."""
        try:
            for stored in s3_listing.in_key_order(self._bucket, self._prefix, keys.to_text(after)):
                yield SourceObject(keys.from_text(stored.key), stored.size, stored.version)
        except UnorderedError:
            message = f"{FIELD}: the store lists the keys of {self.address} in no order"
            hint = "name the images in spec.source.keys, or copy them to a store that lists in order"
            raise RunFailure(FailureClass.STORE_ERROR, f"{message}; {hint}") from None

    def find(self, key: str) -> SourceObject | None:
        """Implements `ObjectSource`. Executors find out whether a refusal is this object's alone."""
        name = keys.to_text(key)
        try:
            stored = self._bucket.stat(name) if keys.is_utf8(name) else None
        except RunFailure as failure:
            if failure.class_ not in REFUSALS:
                raise
            return None
        return SourceObject(key, stored.size, stored.version) if stored else None

    def read(self, key: str) -> bytes:
        """Return an object's content: for tools that sample images, since executors read for themselves."""
        data = self._bucket.read(keys.to_text(key))
        if data is None:
            raise RunFailure(FailureClass.SOURCE_NOT_FOUND, f"{FIELD}: {self.base}{key} no longer exists")
        return data
