"""The output of a run: its table, its quarantine, and the manifest that describes both.

Readers see a finished table or none: the files come first, the manifest follows, and `_SUCCESS` is written last.
Every step may run twice.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from featx_api.status import OutputTable

from featx_job import stored_json
from featx_job.table.publisher import Publisher
from featx_job.table.run_files import MANIFEST_VERSION, RUN_MANIFEST, TABLE_MANIFEST, RunFiles

SUCCESS = "_SUCCESS"
QUARANTINE = "_quarantine"


class OutputFolders(NamedTuple):
    """Where executors write.

    Attributes:
        features: For the files of shards.
        quarantine: For the quarantine's files.
        done: For the markers of finished shards.
        logged: Whether a log decides which files belong to the table, so that every file needs a unique name.
    """

    features: str
    quarantine: str
    done: str
    logged: bool


class RunOutput:
    """A run's output.

    Attributes:
        files: What the run stores for itself.
        publisher: Makes shards visible, in the table's format.
    """

    def __init__(self, files: RunFiles, publisher: Publisher) -> None:
        """Combine a run's files with the publisher of its format."""
        self.files, self.publisher = files, publisher

    @property
    def folders(self) -> OutputFolders:
        """Where executors write."""
        quarantine, done = self.files.folder_uri("quarantine"), self.files.folder_uri("done")
        return OutputFolders(self.publisher.features_uri, quarantine, done, self.publisher.logged)

    @property
    def table_folders(self) -> OutputFolders:
        """The same for files that are the table's from the start."""
        return self.folders._replace(features=self.publisher.table_uri)

    def finished(self) -> dict[str, Any] | None:
        """Return the manifest if this run has finished before.

        Raises:
            RunFailure: OutputExists, if the output holds something that the run must not touch.
        """
        manifest = self.files.manifest()
        if manifest is None:
            self.publisher.check_output()
        return manifest

    def publish(self, manifest: dict[str, Any]) -> None:
        """Complete the table, unless another driver of this run has.

        Args:
            manifest: Describes the table.

        Raises:
            RunFailure: OutputExists, if another run was faster.
        """
        if self.finished() is not None:
            self.publisher.clean_up()
            return
        self.publish_quarantine()
        self.publisher.complete()
        data = stored_json.to_bytes(manifest, MANIFEST_VERSION, indent=2)
        self.files.storage.write(TABLE_MANIFEST, data)
        self.files.storage.write(SUCCESS, b"")
        self.files.save(RUN_MANIFEST, data)
        self.publisher.clean_up()

    def publish_quarantine(self) -> None:
        """Move the quarantine into place, replacing this run's earlier files."""
        placed = set()
        for record in self.publisher.records():
            if record.quarantine_file:
                placed.add(path := f"{self._quarantine}/{record.quarantine_name}")
                self.files.move(record.quarantine_file, path)
        earlier = [file.path for file in self.files.storage.files(self._quarantine)]
        self.files.storage.remove([path for path in earlier if path not in placed])

    @property
    def _quarantine(self) -> str:
        return f"{QUARANTINE}/{self.files.uid}" if self.publisher.updates_table else QUARANTINE

    def file_entries(self) -> list[dict[str, Any]]:
        """Return the manifest's entries of all files. Digests were computed as the files were written."""
        entries = [entry for file in self.publisher.records() for entry in file.manifest_entries(self._quarantine)]
        return [*entries, *self.publisher.rewritten_files()]

    def tables(self) -> list[OutputTable]:
        """Return the status entries of the finished tables."""
        uri, features_, bytes_, failures, failure_bytes = self.files.uri, 0, 0, 0, 0
        for file in self.publisher.records():
            features_, bytes_ = features_ + file.features, bytes_ + file.bytes
            failures, failure_bytes = failures + file.failures, failure_bytes + file.failure_bytes
        features = OutputTable(
            uri=uri,
            kind="features",
            format=self.publisher.format,
            record_count=features_,
            bytes=bytes_,
            manifest=f"{uri}/{TABLE_MANIFEST}",
        )
        if not failures:
            return [features]
        quarantine = OutputTable(
            uri=f"{uri}/{self._quarantine}",
            kind="quarantine",
            format="parquet",
            record_count=failures,
            bytes=failure_bytes,
            manifest=f"{uri}/{TABLE_MANIFEST}",
        )
        return [features, quarantine]
