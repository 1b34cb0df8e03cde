"""A Delta Lake table's log as one run extends it, whoever else writes to the table.

An entry is only written if its version does not exist yet (`Storage.create`). The second writer of a version reads what
the first has written: a transaction of this run, committed by a driver that was believed dead, or another writer's
entry, after which the next version is tried.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from featx_api.failures import FailureClass
from featx_api.table_contract import FEATURE_COLUMNS, Column

from featx_job.clients.hadoop import Hadoop
from featx_job.failures import RunFailure
from featx_job.table import delta_entries
from featx_job.table.delta_entries import Committer, Entry, Snapshot
from featx_job.table.file_record import FileRecord
from featx_job.table.storage import Storage

PAUSE = 0.2


class DeltaLog:
    """The entries of a table's log that a run has seen.

    Attributes:
        committer: The run.
        columns: The columns that the run writes.
        version: Newest version seen; -1 if none.
        next_transaction: Number of the run's next transaction.
        files: The files that the run's transactions have added.
        rewritten: The manifest's entries of the files that the run's last transaction rewrote.
        is_own_table: Whether the run has created the table. Known once the first entry has been seen.
        foreign_rows: Whether others have added rows, which may have the same keys as the run's.
    """

    def __init__(
        self,
        storage: Storage,
        committer: Committer,
        patience: float,
        columns: Sequence[Column] = FEATURE_COLUMNS,
    ) -> None:
        """Use the log of the table at a storage; nothing is read yet.

        Args:
            storage: The table's files.
            committer: The run.
            patience: Seconds to wait for an entry that exists, but is not shown.
            columns: The columns that the run writes.
        """
        self.columns = columns
        self._storage, self.committer, self._patience = storage, committer, patience
        self.version = -1
        self.next_transaction = 0
        self.files: list[FileRecord] = []
        self.rewritten: list[dict[str, Any]] = []
        self.is_own_table = False
        self.foreign_rows = False

    @property
    def next_shard(self) -> int:
        """Index of the first shard that is not in the table: transactions add shards in order."""
        return max((file.end for file in self.files[-1:]), default=0)

    def newest_version(self) -> int:
        """Return the newest version in the store, or -1 if there is no table."""
        versions = delta_entries.versions(file.path for file in self._storage.files(delta_entries.FOLDER))
        return versions[-1] if versions else -1

    def read_up_to(self, version: int) -> None:
        """Read the entries after `self.version` up to a version."""
        while self.version < version:
            data = self._storage.read(delta_entries.entry_path(self.version + 1))
            self._advance(Entry(data or b""))

    def create_table(self) -> None:
        """Write the first entry, unless another run has."""
        self.append(delta_entries.creation(self.committer, datetime.now(UTC), self.columns))

    def append(self, data: bytes) -> Entry:
        """Write the next version, unless it exists. Return the version's entry, whoever wrote it.

        Raises:
            RunFailure: OutputBusy, if the store neither accepts the entry nor shows another.
        """
        path = delta_entries.entry_path(self.version + 1)
        existing, started = None, time.monotonic()
        while existing is None and not self._storage.create(path, data):
            existing = self._storage.read(path)
            if existing is None:
                if time.monotonic() - started >= self._patience:
                    message = f"spec.output.uri: the store neither accepts nor shows {path}; pause other writers to it"
                    raise RunFailure(FailureClass.OUTPUT_BUSY, message)
                time.sleep(PAUSE)  # a store may refuse the second writer before it shows the first one's entry
        entry = Entry(data if existing is None else existing)
        self._advance(entry)
        return entry

    def is_own(self, entry: Entry) -> bool:
        """Return whether an entry is a transaction of this run."""
        return entry.transaction(self.committer.uid) is not None

    def _advance(self, entry: Entry) -> None:
        self.version += 1
        if self.version == 0:
            self.is_own_table = entry.table_id == self.committer.table_id
        number = entry.transaction(self.committer.uid)
        if number is None:
            self.foreign_rows |= entry.adds_rows
            return
        self.files += entry.files()
        self.rewritten = entry.rewritten_files()
        self.next_transaction = max(self.next_transaction, number + 1)


class DeltaSnapshots:
    """Versions of a table as a whole, checkpoints included, by Delta Kernel in the driver's JVM."""

    def __init__(self, hadoop: Hadoop, uri: str, field: str) -> None:
        """Use a table.

        Args:
            hadoop: Connection to the JVM.
            uri: The table's address in Hadoop's notation.
            field: The spec's field that names it.
        """
        self._hadoop, self._uri, self._field = hadoop, uri, field

    def newest(self) -> Snapshot:
        """Return the newest version. Raises RunFailure."""
        text = self._hadoop.with_retry(self._field, lambda: self._hadoop.delta_table(self._uri).written())
        return Snapshot(**json.loads(text))

    def write_checkpoint(self, version: int) -> None:
        """Write a checkpoint of the newest version. Raises RunFailure."""
        self._hadoop.with_retry(self._field, lambda: self._hadoop.delta_table(self._uri).checkpoint(version))
