"""What a run stores below `_featx/UID/` in its output: its shard list, shard markers, saved state, and its manifest.

Parquet readers skip names that begin with an underscore. Everything here may be written twice, by this driver or by
one that was believed dead. The run's own copy of the manifest records that the run has finished.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from featx_api.executor_contract import ShardResult
from featx_api.failures import FailureClass

from featx_job import stored_json
from featx_job.failures import RunFailure
from featx_job.source.shards import ShardList, from_bytes, to_bytes
from featx_job.table import delta_entries
from featx_job.table.storage import Storage, StoredFile

RUNS = "_featx"
SHARD_LIST = "shards.json.gz"
RUN_MANIFEST = "manifest.json"
TABLE_MANIFEST = "_manifest.json"
MANIFEST_VERSION = 1


class RunFiles:
    """Files of one run below its output."""

    def __init__(self, storage: Storage, uid: str, uri: str) -> None:
        """Use an output.

        Args:
            storage: Files below the output's address.
            uid: Of the resource; keeps this run's files apart from other runs'.
            uri: The output's address as the user wrote it.
        """
        self.storage, self.uid, self.uri = storage, uid, uri
        self._root = f"{RUNS}/{uid}"

    def folder_uri(self, name: str) -> str:
        """Return the address at which executors write to a folder of the run."""
        return f"{self.storage.hadoop_uri}/{self._root}/{name}"

    def files(self, folder: str) -> list[StoredFile]:
        """Return the files in a folder of the run."""
        return self.storage.files(f"{self._root}/{folder}")

    def load(self, name: str) -> bytes | None:
        """Return what an attempt of this run has saved, or None."""
        return self.storage.read(f"{self._root}/{name}")

    def save(self, name: str, data: bytes) -> None:
        """Save data for later attempts of this run."""
        self.storage.write(f"{self._root}/{name}", data)

    def shard_list(self, plan: Callable[[], ShardList]) -> ShardList:
        """Return the first attempt's shard list, or save and return the result of `plan` if this is the first."""
        stored = self.load(SHARD_LIST)
        if stored is not None:
            return from_bytes(stored)
        shards = plan()
        self.save(SHARD_LIST, to_bytes(shards))
        return shards

    def marked_shards(self) -> list[ShardResult]:
        """Return the shards that executors have marked as done."""
        markers = (self.storage.read(file.path) for file in self.files("done"))
        return [ShardResult.from_json(marker) for marker in markers if marker is not None]

    def manifest(self) -> dict[str, Any] | None:
        """Return the run's manifest, or None before the run has finished."""
        data = self.load(RUN_MANIFEST)
        return None if data is None else stored_json.from_bytes(data, MANIFEST_VERSION, RUN_MANIFEST)

    def table_manifest(self) -> dict[str, Any] | None:
        """Return the manifest in the output, whichever run wrote it, or None."""
        data = self.storage.read(TABLE_MANIFEST)
        return None if data is None else stored_json.from_bytes(data, MANIFEST_VERSION, TABLE_MANIFEST)

    def refuse_foreign_output(self) -> None:
        """Refuse an output that holds anything but this run's files.

        Raises:
            RunFailure: OutputExists.
        """
        manifest = self.table_manifest()
        if manifest is not None and manifest.get("uid") != self.uid:
            owner = f"{manifest.get('namespace')}/{manifest.get('name')}"
            raise RunFailure(
                FailureClass.OUTPUT_EXISTS,
                f"spec.output.uri: {self.uri} holds the table of {owner}; choose another address or remove it",
            )
        if self.load(SHARD_LIST) is not None:
            return  # an earlier attempt found the output empty, so all files are this run's
        for file in self.storage.files(""):
            if not file.path.startswith("_") or file.path.startswith(delta_entries.FOLDER):
                raise RunFailure(
                    FailureClass.OUTPUT_EXISTS,
                    f"spec.output.uri: {self.uri} is not empty ({file.path}); choose another address or remove it",
                )
