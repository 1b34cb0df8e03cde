"""Files in a folder of HDFS."""

from __future__ import annotations

import json
from functools import partial

from featx_job.clients.hadoop import Hadoop
from featx_job.table.storage import StoredFile

FIELD = "spec.output.uri"


class HadoopStorage:
    """`Storage` in a folder of a Hadoop file system. Writes are renamed into place, which HDFS makes atomic."""

    def __init__(self, hadoop: Hadoop, uri: str) -> None:
        """Uses a folder.

        Args:
            hadoop: Reaches it.
            uri: Its address.
        """
        self._hadoop, self._uri = hadoop, uri.rstrip("/")
        self._folder = hadoop.folder(self._uri)

    @property
    def hadoop_uri(self) -> str:
        """Implements `Storage`."""
        return self._uri

    def make(self) -> None:
        """Implements `Storage`. Raises RunFailure: StoreUnreachable or AccessDenied."""
        self._hadoop.with_retry(FIELD, self._folder.make)

    def read(self, path: str) -> bytes | None:
        """Implements `Storage`."""
        found = self._hadoop.with_retry(FIELD, lambda: self._folder.read(path))
        return None if found is None else bytes(found)

    def write(self, path: str, data: bytes) -> None:
        """Implements `Storage`."""
        self._hadoop.with_retry(FIELD, lambda: self._folder.write(path, bytearray(data)))

    def create(self, path: str, data: bytes) -> bool:
        """Implements `Storage`: renamed without replacing, which HDFS makes atomic too."""
        return bool(self._hadoop.with_retry(FIELD, lambda: self._folder.create(path, bytearray(data))))

    def files(self, folder: str) -> list[StoredFile]:
        """Implements `Storage`."""
        found = json.loads(self._hadoop.with_retry(FIELD, lambda: self._folder.files(folder)))
        return sorted(StoredFile(path, size) for path, size, _ in found)

    def move(self, source: str, target: str) -> None:
        """Implements `Storage`."""
        self._hadoop.with_retry(FIELD, lambda: self._folder.move(source, target))

    def remove(self, paths: list[str]) -> None:
        """Implements `Storage`."""
        for path in paths:
            self._hadoop.with_retry(FIELD, partial(self._folder.remove, path))
