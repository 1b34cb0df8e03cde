"""The run's table in the making: which shards are done, and how a plain folder of Parquet becomes visible whole.

Below the output's address, `_featx/UID/` holds the shard list, finished shards and their marks; readers of Parquet pass
over names that begin with an underscore. When all shards are done their files are moved beside it, the manifest is
written, and `_SUCCESS` last. Every step may be done twice, by this driver or by one that was believed dead. The run's
own copy of the manifest says that it has ended well. `delta_table` is the same with a log.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from featx_api.executor_contract import ReplacementResult, ReplacementTask, ShardResult
from featx_api.status import OutputTable

from featx_job.failures import RunFailure
from featx_job.source.shards import ShardList, from_bytes, to_bytes
from featx_job.table import delta_log
from featx_job.table.storage import Storage, StoredFile

MANIFEST = "_manifest.json"
SUCCESS = "_SUCCESS"
QUARANTINE = "_quarantine"
SHARD_LIST = "shards.json.gz"
OWN_MANIFEST = "manifest.json"

Done = Mapping[int, ShardResult]
Replace = Callable[[list[ReplacementTask]], list[ReplacementResult]]


class Table:
    """One run's files below its output.

    Attributes:
        logged: Whether a log says which files are the table's, so that each has a name of its own.
    """

    logged = False

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

    @property
    def updates(self) -> bool:
        """Returns whether a table that is there is updated, at the end and by executors."""
        return False

    def finished(self) -> dict[str, Any] | None:
        """Returns the manifest if this run has been finished before.

        Raises:
            RunFailure: OutputExists, if there is something that the run must not touch.
        """
        data = self.kept(OWN_MANIFEST)
        if data is not None:
            manifest: dict[str, Any] = json.loads(data)
            return manifest
        self._refuse_strangers()
        return None

    def _manifest(self) -> dict[str, Any] | None:
        data = self._storage.read(MANIFEST)
        return None if data is None else dict(json.loads(data))

    def _refuse_strangers(self) -> None:
        manifest = self._manifest()
        if manifest is not None and manifest.get("uid") != self._uid:
            owner = f"{manifest.get('namespace')}/{manifest.get('name')}"
            raise RunFailure(
                "OutputExists",
                f"spec.output.uri: {self._uri} holds the table of {owner}: choose another address or remove it",
            )
        if self.kept(SHARD_LIST) is not None:
            return  # this run has been here before: what is there is its own
        for file in self._storage.files(""):
            if not file.path.startswith("_") or file.path.startswith(delta_log.FOLDER):
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

    def done(self) -> list[ShardResult]:
        """Returns the shards that are committed."""
        found = []
        for file in self._storage.files(f"{self._run}/done"):
            data = self._storage.read(file.path)
            if data is not None:
                found.append(ShardResult.from_json(data))
        return found

    def commit(self, done: Done, shards: int) -> None:
        """Begins to make shards visible, where that is done one by one.

        Args:
            done: All that are done so far, by their indices.
            shards: How many there will be.
        """

    def settle(self, done: Done, shards: int, replace: Replace) -> list[ShardResult]:
        """Makes rows visible that still are not, where that is done by a log.

        Args:
            done: All shards, by their indices.
            shards: How many there are.
            replace: Has executors write files anew without some of their rows (dev.featx.table.Replacement).

        Returns:
            The shards that make up the table.

        Raises:
            RunFailure: OutputExists or OutputBusy: another writer's table, or one that has become something else.
        """
        return [done[index] for index in sorted(done)]

    def publish_quarantine(self) -> None:
        """Makes the quarantine visible; what was there of this run is replaced."""
        for file in self._storage.files(f"{self._run}/quarantine"):
            self._storage.move(file.path, f"{self._quarantine}/{_name(file)}")

    @property
    def _quarantine(self) -> str:
        return f"{QUARANTINE}/{self._uid}" if self.updates else QUARANTINE

    def publish(self, manifest: dict[str, Any]) -> None:
        """Makes the table visible as a whole: files first, the manifest, and at the very end `_SUCCESS`.

        Args:
            manifest: Of the table.

        Raises:
            RunFailure: OutputExists, if another run was faster.
        """
        if self.finished() is None:
            self.publish_quarantine()
            self._show()
            data = json.dumps(manifest, indent=2).encode()
            self._storage.write(MANIFEST, data)
            self._storage.write(SUCCESS, b"")
            self.keep(OWN_MANIFEST, data)

    def _show(self) -> None:
        for file in self._storage.files(f"{self._run}/features"):
            self._storage.move(file.path, _name(file))

    def described(self, done: list[ShardResult]) -> list[dict[str, Any]]:
        """Returns what the manifest says of each file, whose digest was taken while it was written."""
        files = []
        for shard in done:
            files.append({"path": shard.file, "rows": shard.features, "bytes": shard.bytes, "sha256": shard.sha256})
            if shard.failures:
                about = {"rows": shard.failures, "bytes": shard.failure_bytes, "sha256": shard.failure_sha256}
                files.append({"path": f"{self._quarantine}/{shard.quarantine_file}", **about})
        return files

    def outputs(self, done: list[ShardResult]) -> list[OutputTable]:
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
                    uri=f"{self._uri}/{self._quarantine}",
                    kind="quarantine",
                    record_count=failures,
                    bytes=sum(shard.failure_bytes for shard in done),
                    manifest=manifest,
                )
            )
        return tables


def _name(file: StoredFile) -> str:
    return file.path.rsplit("/", 1)[1]
