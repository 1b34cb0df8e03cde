"""Where a run keeps the list of a large source, and the stages of its shards.

What one driver has stored, no other replaces: their shards would hold other images.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from featx_api.failures import FailureClass

from featx_job.failures import RunFailure
from featx_job.source.pieces import INDEX
from featx_job.table.storage import Storage

LIST, STAGES = "list", "stages"
READERS = 16


class RunLists:
    """`PieceStore` and `StageStore` in the folder of a run."""

    def __init__(self, storage: Storage, folder: str, *, exclusive: bool = False) -> None:
        """Use a run's folder.

        Args:
            storage: The output's files.
            folder: The run's, below the output.
            exclusive: Whether the store can create a file unless it exists, as tables with a log require anyway.
        """
        self._storage, self._folder, self._exclusive = storage, folder, exclusive

    def load(self, name: str) -> bytes | None:
        """Implements `PieceStore`."""
        return self._storage.read(f"{self._folder}/{LIST}/{name}")

    def save(self, name: str, data: bytes) -> None:
        """Implements `PieceStore`.

        Raises:
            RunFailure: OutputBusy, if another driver of the run lists the source, too.
        """
        if not self._create(f"{self._folder}/{LIST}/{name}", data):
            message = "spec.output.uri: another driver of this run lists the source at the same time"
            raise RunFailure(FailureClass.OUTPUT_BUSY, message)

    def uri(self, name: str) -> str:
        """Implements `PieceStore`."""
        return f"{self._storage.hadoop_uri}/{self._folder}/{LIST}/{name}"

    @property
    def is_begun(self) -> bool:
        """Whether an attempt has begun to list the source."""
        return self.load(INDEX) is not None or bool(self._storage.files(f"{self._folder}/{LIST}"))

    def stages(self) -> list[bytes]:
        """Implements `StageStore`."""
        paths = [file.path for file in self._storage.files(f"{self._folder}/{STAGES}")]
        with ThreadPoolExecutor(READERS) as readers:
            return [stage for stage in readers.map(self._storage.read, sorted(paths)) if stage is not None]

    def add_stage(self, number: int, data: bytes) -> bytes:
        """Implements `StageStore`."""
        path = f"{self._folder}/{STAGES}/{number:06}.json"
        return data if self._create(path, data) else self._storage.read(path) or data

    def _create(self, path: str, data: bytes) -> bool:
        if self._exclusive:
            return self._storage.create(path, data)
        self._storage.write(path, data)
        return True
