"""What a run stores below `_featx/UID/` in its output: its shard list, shard markers, saved state, and its manifest.

Parquet readers skip names that begin with an underscore. Everything here may be written twice, by this driver or by
one that was believed dead. The run's own copy of the manifest records that the run has finished.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from featx_api.executor_contract import ShardResult, marker_file, part_file, shard_of_marker
from featx_api.failures import FailureClass

from featx_job import stored_json
from featx_job.failures import RunFailure
from featx_job.source.listed_shards import ListedShards
from featx_job.source.shards import StoredShards, from_bytes, to_bytes
from featx_job.table import delta_entries
from featx_job.table.run_lists import RunLists
from featx_job.table.storage import Storage, StoredFile

RUNS = "_featx"
SHARD_LIST = "shards.json.gz"
RUN_MANIFEST = "manifest.json"
TABLE_MANIFEST = "_manifest.json"
MANIFEST_VERSION = 1


READERS = 16  # of markers, at a time


class RunFiles:
    """Files of one run below its output."""

    def __init__(self, storage: Storage, uid: str, uri: str, *, exclusive: bool = True) -> None:
        """Use an output.

        Args:
            storage: Files below the output's address.
            uid: Of the resource; keeps this run's files apart from other runs'.
            uri: The output's address as the user wrote it.
            exclusive: Whether the store can create a file unless it exists, as tables with a log require anyway.
        """
        self.storage, self.uid, self.uri = storage, uid, uri
        self._root = f"{RUNS}/{uid}"
        self.lists = RunLists(storage, self._root, exclusive=exclusive)

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

    def shard_list(self, plan: Callable[[], StoredShards | ListedShards]) -> StoredShards | ListedShards:
        """Return the first attempt's shards, or those that `plan` returns if it has stored none.

        Args:
            plan: Stores the list of a large source itself (`lists`).
        """
        stored = self.load(SHARD_LIST)
        if stored is not None:
            return from_bytes(stored)
        shards = plan()
        if not isinstance(shards, ListedShards):
            self.save(SHARD_LIST, to_bytes(shards))
        return shards

    def move(self, name: str, path: str) -> None:
        """Move a file of the run to a place in the output, unless that was done before."""
        self.storage.move(f"{self._root}/{name}", path)

    def marked_shards(self, first: int = 0) -> list[ShardResult]:
        """Return the shards that executors have marked as done.

        Args:
            first: Those before this one are left out, and their markers are not read.
        """
        paths = [file.path for file in self.files("done") if shard_of_marker(file.name) >= first]
        with ThreadPoolExecutor(READERS) as readers:
            markers = readers.map(self.storage.read, paths)
            return [ShardResult.from_json(marker) for marker in markers if marker is not None]

    def new_table_file(self, first: int = 0) -> str:
        """Return a name for a file of the table that no other file has, and that tells which run has written it.

        Args:
            first: Index of its first shard.
        """
        return f"{part_file(first).removesuffix('.parquet')}-{self._token}-{uuid.uuid4().hex}.parquet"

    def remove_shards(self, shards: Iterable[ShardResult]) -> None:
        """Remove what executors have written for shards that are in files of the table."""
        self.storage.remove([f"{self._root}/{path}" for shard in shards for path in _paths(shard)])

    def remove_leftovers(self, logged: Collection[str]) -> None:
        """Remove what a finished run does not need: files of shards, and files of the table that its log does not have.

        Args:
            logged: Names of the run's files in the log. Of a table without a log, all files are the table's.
        """
        folders = ("features", "done", "quarantine", "joined")
        paths = [file.path for folder in folders for file in self.files(folder)]
        if logged:
            own = re.compile(rf"part-\d+-{self._token}-[^/]+\.parquet")
            in_table = [file.path for file in self.storage.files("") if own.fullmatch(file.path)]
            paths += [path for path in in_table if path not in logged]
        self.storage.remove(paths)

    @property
    def _token(self) -> str:
        return hashlib.sha256(self.uid.encode()).hexdigest()[:8]

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
        if self.load(SHARD_LIST) is not None or self.lists.is_begun:
            return  # an earlier attempt found the output empty, so all files are this run's
        for file in self.storage.files(""):
            if not file.path.startswith("_") or file.path.startswith(delta_entries.FOLDER):
                raise RunFailure(
                    FailureClass.OUTPUT_EXISTS,
                    f"spec.output.uri: {self.uri} is not empty ({file.path}); choose another address or remove it",
                )


def _paths(shard: ShardResult) -> Iterator[str]:
    yield f"features/{shard.file}"
    if shard.failures:
        yield f"quarantine/{shard.quarantine_file}"
    yield f"done/{marker_file(shard.index)}"
