"""Images that are files of HDFS."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

from featx_api.failures import FailureClass

from featx_job.clients.hadoop import Hadoop
from featx_job.failures import RunFailure
from featx_job.source.objects import SourceObject

FIELD = "spec.source.files.uri"


class HadoopSource:
    """`ObjectSource` of the files below a folder, without hidden ones; keys are paths relative to it."""

    def __init__(self, hadoop: Hadoop, uri: str) -> None:
        """Uses a folder.

        Args:
            hadoop: Reaches it.
            uri: Its address.
        """
        self._hadoop, self._uri = hadoop, uri.rstrip("/")

    @property
    def base(self) -> str:
        """Implements `ObjectSource`."""
        return f"{self._uri}/"

    def objects(self) -> Iterator[SourceObject]:
        """Implements `ObjectSource`."""
        folder = self._hadoop.folder(self._uri)
        if not self._hadoop.with_retry(FIELD, folder.exists):
            raise RunFailure(FailureClass.SOURCE_NOT_FOUND, f"{FIELD}: folder {self._uri} not found")
        found = json.loads(self._hadoop.with_retry(FIELD, lambda: folder.files("")))
        listed = (SourceObject(key, size, str(modified)) for key, size, modified in found)
        yield from sorted(listed, key=lambda each: os.fsencode(each.key))

    def find(self, key: str) -> SourceObject | None:
        """Implements `ObjectSource`. Executors find out whether a refusal is this file's alone."""
        try:
            size = self._hadoop.with_retry(FIELD, lambda: self._hadoop.folder(self._uri).size(key))
        except RunFailure as failure:
            if failure.class_ is not FailureClass.ACCESS_DENIED:
                raise
            return None
        return SourceObject(key, size) if size >= 0 else None
