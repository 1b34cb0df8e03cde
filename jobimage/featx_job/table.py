"""The run's table in the making: which shards are done, and how it becomes visible whole.

Below the output's address, `_featx/UID/` holds the shard list, finished shards and their marks; readers of Parquet pass
over names that begin with an underscore. When all shards are done their files are moved beside it, the manifest is
written, and `_SUCCESS` last. Every step may be done twice, by this driver or by one that was believed dead.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from featx_api.status import OutputTable

from featx_job import delta
from featx_job.failures import RunFailure
from featx_job.progress import ShardDone
from featx_job.shards import ShardList, from_bytes, to_bytes
from featx_job.storage import Storage, StoredFile

MANIFEST = "_manifest.json"
SUCCESS = "_SUCCESS"
QUARANTINE = "_quarantine"
SHARD_LIST = "shards.json.gz"


class Table:
    """One run's files below its output."""

    def __init__(self, storage: Storage, uid: str, uri: str) -> None:
        """Uses an output.

        Args:
            storage: Files below the output's address.
            uid: Of the resource: what tells this run's files from another's.
            uri: The output's address in the user's words.
        """
        self._storage, self._uid, self._uri = storage, uid, uri
        self._run = f"_featx/{uid}"

    def folder(self, name: str) -> str:
        """Returns where executors put files: features, quarantine or done."""
        return f"{self._storage.hadoop_uri}/{self._run}/{name}"

    def finished(self) -> dict[str, Any] | None:
        """Returns the manifest if this run has been finished before.

        Raises:
            RunFailure: OutputExists, if another run's table is there.
        """
        data = self._storage.read(MANIFEST)
        if data is None:
            self._refuse_strangers()
            return None
        manifest: dict[str, Any] = json.loads(data)
        if manifest.get("uid") != self._uid:
            owner = f"{manifest.get('namespace')}/{manifest.get('name')}"
            raise RunFailure(
                "OutputExists",
                f"spec.output.uri: {self._uri} holds the table of {owner}: choose another address or remove it",
            )
        return manifest if self._storage.read(SUCCESS) is not None else None

    def _refuse_strangers(self) -> None:
        if self.kept(SHARD_LIST) is not None:
            return  # this run has been here before: what is there is its own
        for file in self._storage.files(""):
            if not file.path.startswith("_") or file.path.startswith(delta.FOLDER):
                raise RunFailure(
                    "OutputExists",
                    f"spec.output.uri: {self._uri} is not empty ({file.path}): choose another address or remove it",
                )

    def shard_list(self, make: Callable[[], ShardList]) -> ShardList:
        """Returns the run's shard list: the first attempt's, or what `make` returns if this is the first."""
        stored = self.kept(SHARD_LIST)
        if stored is None:
            made = make()
            self.keep(SHARD_LIST, to_bytes(made))
            return made
        return from_bytes(stored)

    def kept(self, name: str) -> bytes | None:
        """Returns what an attempt of this run has kept for later ones."""
        return self._storage.read(f"{self._run}/{name}")

    def keep(self, name: str, data: bytes) -> None:
        """Keeps something for later attempts of this run."""
        self._storage.write(f"{self._run}/{name}", data)

    def done(self) -> list[ShardDone]:
        """Returns the shards that are committed."""
        found = []
        for file in self._storage.files(f"{self._run}/done"):
            data = self._storage.read(file.path)
            if data is not None:
                found.append(ShardDone.of_mark(json.loads(data)))
        return found

    def publish_quarantine(self) -> None:
        """Makes the quarantine visible; what was there of this run is replaced."""
        for file in self._storage.files(f"{self._run}/quarantine"):
            self._storage.move(file.path, f"{QUARANTINE}/{_name(file)}")

    def publish(self, manifest: dict[str, Any], commit: bytes | None = None) -> None:
        """Makes the table visible: files first, the manifest, and at the very end `_SUCCESS`.

        Args:
            manifest: Of the table.
            commit: What a Delta log's first entry says of the files, if it is to be a Delta table.

        Raises:
            RunFailure: OutputExists, if another run was faster.
        """
        self.finished()
        self.publish_quarantine()
        for file in self._storage.files(f"{self._run}/features"):
            self._storage.move(file.path, _name(file))
        if commit is not None:
            self._storage.write(delta.FIRST, commit)
        self._storage.write(MANIFEST, json.dumps(manifest, indent=2).encode())
        self._storage.write(SUCCESS, b"")

    @staticmethod
    def described(done: list[ShardDone]) -> list[dict[str, Any]]:
        """Returns what the manifest says of each file, whose digest was taken while it was written."""
        files = []
        for shard in done:
            name = shard.file_name
            files.append({"path": name, "rows": shard.features, "bytes": shard.bytes, "sha256": shard.sha256})
            if shard.failures:
                about = {"rows": shard.failures, "bytes": shard.failure_bytes, "sha256": shard.failure_sha256}
                files.append({"path": f"{QUARANTINE}/{name}", **about})
        return files

    def outputs(self, done: list[ShardDone]) -> list[OutputTable]:
        """Returns what the status says of the tables that are complete."""
        rows, failures = sum(shard.features for shard in done), sum(shard.failures for shard in done)
        manifest = f"{self._uri}/{MANIFEST}"
        tables = [
            OutputTable(
                uri=self._uri,
                kind="features",
                record_count=rows,
                bytes=sum(shard.bytes for shard in done),
                manifest=manifest,
            )
        ]
        if failures:
            tables.append(
                OutputTable(
                    uri=f"{self._uri}/{QUARANTINE}",
                    kind="quarantine",
                    record_count=failures,
                    bytes=sum(shard.failure_bytes for shard in done),
                    manifest=manifest,
                )
            )
        return tables


def _name(file: StoredFile) -> str:
    return file.path.rsplit("/", 1)[1]
