"""Images that are files of HDFS."""

from __future__ import annotations

import json
from collections.abc import Iterator

from featx_api.failures import FailureClass

from featx_job.clients.hadoop import Hadoop
from featx_job.failures import RunFailure
from featx_job.source import keys
from featx_job.source.objects import SourceObject, not_found

FIELD = "spec.source.files.uri"


class HadoopSource:
    """`ObjectSource` of the files below a folder; keys are paths relative to it."""

    def __init__(self, hadoop: Hadoop, uri: str) -> None:
        """Use a folder.

        Args:
            hadoop: Reaches it.
            uri: Its address.
        """
        self._hadoop, self._uri = hadoop, uri.rstrip("/")

    @property
    def base(self) -> str:
        """Implements `ObjectSource`."""
        return keys.from_text(f"{self._uri}/")

    @property
    def root(self) -> str:
        """Implements `ObjectSource`."""
        return ""

    @property
    def field(self) -> str:
        """Implements `ObjectSource`."""
        return FIELD

    @property
    def address(self) -> str:
        """Implements `ObjectSource`."""
        return self._uri

    def objects(self, *, in_hidden_folders: bool = False, after: str = "") -> Iterator[SourceObject]:
        """Implements `ObjectSource`."""
        folder = self._hadoop.folder(self._uri)
        if not self._hadoop.with_retry(FIELD, folder.exists):
            raise not_found(FIELD, self._uri)
        listing = folder.listing(keys.to_bytes(after))
        while files := json.loads(self._hadoop.with_retry(FIELD, listing.next)):
            for name, size, modified in files:
                yield SourceObject(keys.from_text(name), size, str(modified))

    def find(self, key: str) -> SourceObject | None:
        """Implements `ObjectSource`. Executors find out whether a refusal is this file's alone."""
        name = keys.to_text(key)
        if not keys.is_utf8(name):
            return None  # HDFS has no such names
        try:
            size = self._hadoop.with_retry(FIELD, lambda: self._hadoop.folder(self._uri).size(name))
        except RunFailure as failure:
            if failure.class_ is not FailureClass.ACCESS_DENIED:
                raise
            return None
        return SourceObject(key, size) if size >= 0 else None
