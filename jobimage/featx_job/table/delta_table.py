"""A run's table as a Delta Lake table: how shards become transactions, whoever else writes to it.

A new table grows while the run does: a group of shards is a transaction as soon as all of them are done. A table that
is there already (`output.mode: incremental`) is updated by one transaction at the end, which adds the run's rows and
takes out those that they replace, so that no reader ever sees a key twice. So is one to which another run adds rows
while the first one still makes it.

An entry of the log is only written where none is (`Storage.create`). Who comes second reads what is there: its own
transaction, made by a driver that was believed dead, or another writer's, after which it tries the next version.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Protocol

from featx_api.executor_contract import ReplacementResult, ReplacementTask, ShardResult

from featx_job.failures import RunFailure
from featx_job.table import delta_log, earlier_runs
from featx_job.table.delta_log import Committer, Entry
from featx_job.table.parquet_table import Done, Replace, Table
from featx_job.table.storage import Storage

BASE = "delta.json"
TRIES, PAUSE = 10, 0.2

LOG = logging.getLogger(__name__)


class Snapshots(Protocol):
    """Reads a table's log as a whole, checkpoints too (dev.featx.table.DeltaTable)."""

    def written(self) -> str:
        """Returns the newest version, as JSON."""

    def checkpoint(self, version: int) -> None:
        """Writes a checkpoint."""


class DeltaTable(Table):
    """`Table` with a log."""

    logged = True

    def __init__(
        self,
        storage: Storage,
        by: Committer,
        uri: str,
        nets: Mapping[str, Any] | None,
        ask: Callable[[Callable[[Snapshots], Any]], Any],
    ) -> None:
        """Uses an output.

        Args:
            storage: Files below the output's address.
            by: The run.
            uri: The output's address in the user's words.
            nets: The run's, as `earlier.nets` tells them, if a table that is there is to be updated.
            ask: Asks for the table's log as a whole.
        """
        super().__init__(storage, by.uid, uri)
        self._by, self._nets, self._ask = by, nets, ask
        self._base = -1  # the log's newest version when the run began
        self._version = -1  # the newest that is known
        self._group = 0  # the next one to commit
        self._shared = False  # whether others have added rows since then, which may be of the same keys
        self._committed: dict[int, ShardResult] = {}  # as the log has them
        self._rewritten: list[dict[str, Any]] = []
        self._committer = ThreadPoolExecutor(1, "delta-commits")
        self._committing: Future[None] | None = None

    @property
    def updates(self) -> bool:
        """Implements `Table`."""
        return self._base >= 0 or self._shared

    def folder(self, name: str) -> str:
        """Implements `Table`: files lie where they stay, since only the log makes them part of the table."""
        return self._storage.hadoop_uri if name == "features" else super().folder(name)

    def _refuse_strangers(self) -> None:
        there = delta_log.versions(file.path for file in self._storage.files(delta_log.FOLDER))
        if self._nets is None or not there:
            super()._refuse_strangers()
            return
        manifest = self._manifest()
        if manifest is not None:
            earlier_runs.refuse_other_nets(manifest, self._nets, self._uri)
        if self._version < 0:  # not begun: a commit of this driver's has looked itself
            self._refuse_unknown(self._look())

    def _refuse_unknown(self, newest: Mapping[str, Any]) -> None:
        reason = delta_log.refusal(newest)
        if reason:
            message = f"spec.output.uri: {self._uri} can't be updated: {reason}: choose another address"
            raise RunFailure("OutputExists", message)

    def _look(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._ask(lambda table: table.written()))
        return found

    def done(self) -> list[ShardResult]:
        """Implements `Table`: what the log has counts for more than marks."""
        self._begin()
        marked = {shard.index: shard for shard in super().done()}
        return list((marked | self._committed).values())

    def _begin(self) -> None:
        there = delta_log.versions(file.path for file in self._storage.files(delta_log.FOLDER))
        kept = self.kept(BASE)
        if kept is None:
            kept = json.dumps({"base": there[-1] if there else -1}).encode()
            self.keep(BASE, kept)
        self._base = json.loads(kept)["base"]
        self._version = self._base
        self._catch_up(there[-1] if there else -1)
        if self._version < 0:
            self._create()

    def _catch_up(self, newest: int) -> None:
        while self._version < newest:
            self._version += 1
            self._learn(Entry(self._storage.read(delta_log.entry(self._version)) or b""))

    def _learn(self, entry: Entry) -> bool:
        """Takes in what an entry says, if it is of this run; returns whether it is."""
        number = entry.transaction(self._uid)
        if number is None:
            self._shared |= self._nets is not None and entry.adds_rows
            return False
        self._committed.update((shard.index, shard) for shard in entry.shards())
        self._rewritten = entry.rewritten()
        self._group = max(self._group, number + 1)
        return True

    def _create(self) -> None:
        entry = delta_log.created(self._by, datetime.now(UTC))
        if self._written(0, entry).table_id != self._by.table_id:
            message = f"spec.output.uri: another run has begun a table at {self._uri}: choose another address"
            raise RunFailure("OutputExists", message)
        self._version = 0

    def commit(self, done: Done, shards: int) -> None:
        """Implements `Table`: begins to commit the groups that are whole, unless that is going on."""
        if self.updates or (self._committing and not self._committing.done()):
            return
        if self._committing:
            self._committing.result()
        self._committing = self._committer.submit(self._commit_groups, dict(done), shards)

    def _commit_groups(self, done: Done, shards: int) -> None:
        while not self.updates and (indices := delta_log.group(self._group, shards)):
            if not all(index in done for index in indices):
                return
            number, members = self._group, [done[index] for index in indices]
            self._append(delta_log.appended(self._by, number, datetime.now(UTC), members))
            if self._group > number:
                LOG.info("group %d of the table is committed: %d shards", number, len(members))

    def _append(self, data: bytes) -> None:
        """Commits rows of keys that nobody else has added, unless this was done before."""
        number = self._group
        while self._group == number and not self.updates:
            there = self._written(self._version + 1, data)
            if not self._learn(there) and there.changes_rules:
                message = f"spec.output.uri: columns or settings of {self._uri} were changed during the run"
                raise RunFailure("OutputExists", f"{message}: choose another address")
            self._version += 1

    def _written(self, version: int, data: bytes) -> Entry:
        """Writes an entry, unless there is one; returns the one that is there then."""
        while not self._storage.create(delta_log.entry(version), data):
            there = self._storage.read(delta_log.entry(version))
            if there is not None:
                return Entry(there)
            time.sleep(PAUSE)  # a store may refuse the second writer before it shows what the first has written
        return Entry(data)

    def settle(self, done: Done, shards: int, replace: Replace) -> list[ShardResult]:
        """Implements `Table`."""
        if self._committing:
            self._committing.result()
        self._commit_groups(done, shards)
        if self._left(done):
            self._update(done, replace)
        return [self._committed[index] for index in sorted(self._committed)]

    def _left(self, done: Done) -> list[ShardResult]:
        return [done[index] for index in sorted(done) if index not in self._committed]

    def _update(self, done: Done, replace: Replace) -> None:
        for _ in range(TRIES):
            newest = self._look()
            self._refuse_unknown(newest)
            self._catch_up(newest["version"])
            left = self._left(done)
            if not left:
                return  # another driver of this run has done it
            replaced = self._replaced(newest, left, replace)
            entry = delta_log.updated(self._by, self._group, datetime.now(UTC), left, replaced)
            there = self._written(self._version + 1, entry)
            self._version += 1
            if self._learn(there) and not self._left(done):
                return
            self._storage.remove([result.rewritten.file for result in replaced if result.rewritten])
            LOG.info("another writer was faster: looking anew")
        message = f"spec.output.uri: others write to {self._uri} all the time: let the run have it for a while"
        raise RunFailure("OutputBusy", message, retryable=True)

    def _replaced(
        self, newest: Mapping[str, Any], shards: Sequence[ShardResult], replace: Replace
    ) -> list[ReplacementResult]:
        home = self._storage.hadoop_uri
        tasks = [
            ReplacementTask(
                path=path,
                old=old,
                newer=tuple(f"{home}/{name}" for name in newer),
                file=f"part-{uuid.uuid4()}.parquet",
            )
            for path, old, newer in delta_log.overlaps(newest["files"], shards)
        ]
        return replace(tasks) if tasks else []

    def described(self, done: list[ShardResult]) -> list[dict[str, Any]]:
        """Implements `Table`."""
        return [*super().described(done), *self._rewritten]

    def _show(self) -> None:
        last = json.loads(self._storage.read(delta_log.LAST_CHECKPOINT) or b'{"version": -1}')["version"]
        if self._version - last < delta_log.COMMITS_A_CHECKPOINT:
            return
        try:
            self._ask(lambda table: table.checkpoint(self._version))
        except RunFailure as failure:
            LOG.warning(
                "the table has no checkpoint of version %d, which only makes it slower: %s", self._version, failure
            )
