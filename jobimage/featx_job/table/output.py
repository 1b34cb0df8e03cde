"""The output of a run: its table, its quarantine, and the manifest that describes both.

Readers see a finished table or none: the files come first, the manifest follows, and `_SUCCESS` is written last.
Every step may run twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from featx_api.executor_contract import ShardResult
from featx_api.status import OutputTable

from featx_job import stored_json
from featx_job.table.publisher import Publisher
from featx_job.table.run_files import MANIFEST_VERSION, RUN_MANIFEST, TABLE_MANIFEST, RunFiles

SUCCESS = "_SUCCESS"
QUARANTINE = "_quarantine"


class OutputFolders(NamedTuple):
    """Where executors write.

    Attributes:
        features: For the table's files.
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
            return
        self.publish_quarantine()
        self.publisher.complete()
        data = stored_json.to_bytes(manifest, MANIFEST_VERSION, indent=2)
        self.files.storage.write(TABLE_MANIFEST, data)
        self.files.storage.write(SUCCESS, b"")
        self.files.save(RUN_MANIFEST, data)

    def publish_quarantine(self) -> None:
        """Move the quarantine into place, replacing this run's earlier files."""
        for file in self.files.files("quarantine"):
            self.files.storage.move(file.path, f"{self._quarantine}/{file.name}")

    @property
    def _quarantine(self) -> str:
        return f"{QUARANTINE}/{self.files.uid}" if self.publisher.updates_table else QUARANTINE

    def file_entries(self, shards: Sequence[ShardResult]) -> list[dict[str, Any]]:
        """Return the manifest's entries of all files. Digests were computed as the files were written."""
        entries = []
        for shard in shards:
            entries.append({"path": shard.file, "rows": shard.features, "bytes": shard.bytes, "sha256": shard.sha256})
            if shard.failures:
                about = {"rows": shard.failures, "bytes": shard.failure_bytes, "sha256": shard.failure_sha256}
                entries.append({"path": f"{self._quarantine}/{shard.quarantine_file}", **about})
        return [*entries, *self.publisher.rewritten_files()]

    def tables(self, shards: Sequence[ShardResult]) -> list[OutputTable]:
        """Return the status entries of the finished tables."""
        uri = self.files.uri
        features = OutputTable(
            uri=uri,
            kind="features",
            format=self.publisher.format,
            record_count=sum(shard.features for shard in shards),
            bytes=sum(shard.bytes for shard in shards),
            manifest=f"{uri}/{TABLE_MANIFEST}",
        )
        failures = sum(shard.failures for shard in shards)
        if not failures:
            return [features]
        quarantine = OutputTable(
            uri=f"{uri}/{self._quarantine}",
            kind="quarantine",
            format="parquet",
            record_count=failures,
            bytes=sum(shard.failure_bytes for shard in shards),
            manifest=f"{uri}/{TABLE_MANIFEST}",
        )
        return [features, quarantine]
