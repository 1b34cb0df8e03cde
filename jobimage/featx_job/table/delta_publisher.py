"""Publishes a Delta Lake table: files of shards are joined into larger ones, which transactions add to its log.

A new table grows during the run: a group of shards is joined and committed as soon as all of them are done. An existing
table (`output.mode: incremental`) is updated by one transaction at the end, which adds the run's rows and removes those
that they replace, so that no reader ever sees a key twice. A new table to which another run adds rows meanwhile is
finished the same way.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from featx_api.executor_contract import ReplacementResult, ReplacementTask, ShardResult
from featx_api.failures import FailureClass

from featx_job import stored_json
from featx_job.failures import RunFailure
from featx_job.table import delta_entries, earlier_runs, file_record
from featx_job.table.delta_entries import Snapshot
from featx_job.table.delta_log import DeltaLog
from featx_job.table.file_record import FileRecord
from featx_job.table.groups import Groups, ShardGroup
from featx_job.table.publisher import Executors, Resumed, RewriteFiles
from featx_job.table.run_files import RunFiles

BASE = "delta.json"
SCHEMA_VERSION = 1
TRIES = 10

LOG = logging.getLogger(__name__)


class Snapshots(Protocol):
    """Versions of the table as a whole (`delta_log.DeltaSnapshots`)."""

    def newest(self) -> Snapshot:
        """Return the newest version."""

    def write_checkpoint(self, version: int) -> None:
        """Write a checkpoint of the newest version."""


class DeltaPublisher:
    """`Publisher` of Delta Lake tables."""

    format: Literal["delta", "parquet"] = "delta"
    logged = True

    def __init__(self, files: RunFiles, log: DeltaLog, snapshots: Snapshots, nets: Mapping[str, Any] | None) -> None:
        """Use a run's files and the table's log.

        Args:
            files: The run's files.
            log: The table's log, not read yet.
            snapshots: The table as a whole.
            nets: Identity of the run's nets (`earlier_runs.nets`) if it may update an existing table.
        """
        self._files, self._log, self._snapshots, self._nets = files, log, snapshots, nets
        self._base = -1  # the log's newest version when the run began
        self._groups = Groups()
        self._joined: list[FileRecord] = []  # files for the transaction at the end
        self._work: Future[int] | None = None

    @property
    def features_uri(self) -> str:
        """Implements `Publisher`: a folder of the run, since no reader is to find the files of shards."""
        return self._files.folder_uri("features")

    @property
    def table_uri(self) -> str:
        """Implements `Publisher`."""
        return self._files.storage.hadoop_uri

    @property
    def updates_table(self) -> bool:
        """Implements `Publisher`."""
        return self._base >= 0 or (self._nets is not None and self._log.foreign_rows)

    def check_output(self) -> None:
        """Implements `Publisher`."""
        if self._nets is None or self._log.newest_version() < 0:
            self._files.refuse_foreign_output()
            return
        manifest = self._files.table_manifest()
        if manifest is not None:
            earlier_runs.refuse_other_nets(manifest, self._nets, self._files.uri)
        if self._log.version < 0:  # later each commit checks for itself
            self._check_updatable(self._snapshots.newest())

    def _check_updatable(self, table: Snapshot) -> None:
        reason = delta_entries.why_not_updatable(table, self._log.columns)
        if reason:
            message = f"spec.output.uri: {self._files.uri} cannot be updated: {reason}; choose another address"
            raise RunFailure(FailureClass.OUTPUT_EXISTS, message)

    def resume(self) -> Resumed:
        """Implements `Publisher`: the log takes precedence over markers."""
        newest = self._log.newest_version()
        saved = self._files.load(BASE)
        if saved is None:
            # For a new table `check_output` has found none: what is there now is another run's.
            saved = stored_json.to_bytes({"base": -1 if self._nets is None else newest}, SCHEMA_VERSION)
            self._files.save(BASE, saved)
        self._base = self._log.version = stored_json.from_bytes(saved, SCHEMA_VERSION, BASE)["base"]
        self._log.read_up_to(newest)
        if self._log.version < 0:
            self._log.create_table()
        if self._base < 0 and not self._log.is_own_table:
            message = f"spec.output.uri: another run has created a table at {self._files.uri}; choose another address"
            raise RunFailure(FailureClass.OUTPUT_EXISTS, message)
        self._groups = Groups(self._log.next_shard, len(self._log.files))
        return Resumed(list(self._log.files), self._files.marked_shards(self._log.next_shard))

    def needs_executors(self) -> bool:
        """Implements `Publisher`."""
        return bool(self._groups.waiting)

    def publish(self, shard: ShardResult) -> None:
        """Implements `Publisher`."""
        self._groups.add(shard)

    @property
    def waiting(self) -> int:
        """Implements `Publisher`."""
        return len(self._groups.waiting)

    def advance(self, executors: Executors) -> None:
        """Implements `Publisher`: joins and commits complete groups, unless a commit is still running."""
        if self._work and not self._work.done():
            return
        self._settle()
        if groups := self._groups.complete():
            thread = ThreadPoolExecutor(1, "delta-commit")
            self._work = thread.submit(self._publish, groups, executors)
            thread.shutdown(wait=False)  # it ends after this commit

    def _settle(self) -> None:
        """Wait for the commit that runs, and go on after the shards that are in files now."""
        if self._work:
            self._groups.skip_to(self._work.result())
            self._work = None

    def _publish(self, groups: Sequence[ShardGroup], executors: Executors) -> int:
        """Join groups and commit them; return the first shard that is in no file now."""
        tasks = [group.task(self._files, number) for number, group in enumerate(groups)]
        try:
            results = executors.join(tasks)
        except RunFailure:
            self._log.read_up_to(self._log.newest_version())
            if self._log.next_shard > groups[0].first:
                return self._log.next_shard  # another driver has committed the shards, and removed their files
            raise
        by_number = {result.number: result for result in results}
        joined = [file_record.of_group(group.shards, by_number[number]) for number, group in enumerate(groups)]
        if not self._commit(joined):
            self._joined += joined
            return joined[-1].end
        if self._log.files[-1].file != joined[-1].file:
            self._files.storage.remove([file.file for file in joined])
        else:
            self._files.remove_shards([shard for group in groups for shard in group.shards])
        return self._log.next_shard

    def _commit(self, files: Sequence[FileRecord]) -> bool:
        """Commit files, unless another driver has; return False if others add rows that may have the same keys."""
        number = self._log.next_transaction
        data = delta_entries.append(self._log.committer, number, datetime.now(UTC), files)
        while self._log.next_transaction == number and not self.updates_table:
            entry = self._log.append(data)
            if not self._log.is_own(entry) and entry.changes_schema:
                message = f"spec.output.uri: columns or properties of {self._files.uri} changed during the run"
                raise RunFailure(FailureClass.OUTPUT_EXISTS, f"{message}; choose another address")
        committed = self._log.next_transaction > number
        if committed:
            LOG.info("committed transaction %d of the table: %d files", number, len(files))
        return committed

    def finish_groups(self, executors: Executors) -> None:
        """Implements `Publisher`."""
        self._settle()
        while groups := self._groups.complete(last=True):
            self._groups.skip_to(self._publish(groups, executors))

    def finalize(self, executors: Executors) -> None:
        """Implements `Publisher`."""
        if self._uncommitted():
            self._merge(executors.rewrite)

    def _uncommitted(self) -> list[FileRecord]:
        return [file for file in self._joined if file.first >= self._log.next_shard]

    def _merge(self, rewrite: RewriteFiles) -> None:
        for _ in range(TRIES):
            newest = self._snapshots.newest()
            self._check_updatable(newest)
            self._log.read_up_to(newest.version)
            files = self._uncommitted()
            if not files:
                return  # another driver of this run has committed them
            results = self._rewrite(newest, files, rewrite)
            time = datetime.now(UTC)
            entry = delta_entries.merge(self._log.committer, self._log.next_transaction, time, files, results)
            if self._log.is_own(self._log.append(entry)) and not self._uncommitted():
                return
            self._files.storage.remove([result.rewritten.file for result in results if result.rewritten])
            LOG.info("another writer committed first: retrying on the new version")
        message = f"gave up after {TRIES} commit conflicts; pause other writers to {self._files.uri}"
        raise RunFailure(FailureClass.OUTPUT_BUSY, f"spec.output.uri: {message}")

    def _rewrite(self, table: Snapshot, files: Sequence[FileRecord], rewrite: RewriteFiles) -> list[ReplacementResult]:
        tasks = [
            ReplacementTask(
                path=path,
                old=old,
                newer=tuple(f"{self.table_uri}/{name}" for name in newer),
                file=self._files.new_table_file(),
            )
            for path, old, newer in delta_entries.overlapping_files(table.files, files)
        ]
        return rewrite(tasks) if tasks else []

    def records(self) -> Iterator[FileRecord]:
        """Implements `Publisher`."""
        return iter([*self._log.files, *self._uncommitted()])

    def complete(self) -> None:
        """Implements `Publisher`: writes a checkpoint if the last one is some commits old."""
        last = json.loads(self._files.storage.read(delta_entries.LAST_CHECKPOINT) or b'{"version": -1}')["version"]
        version = self._log.version
        if version - last < delta_entries.CHECKPOINT_INTERVAL:
            return
        try:
            self._snapshots.write_checkpoint(version)
        except RunFailure as failure:
            LOG.warning("no checkpoint of version %d could be written, which slows readers down: %s", version, failure)

    def clean_up(self) -> None:
        """Implements `Publisher`: files that are not in the log would show rows twice to readers that ignore it."""
        self._log.read_up_to(self._log.newest_version())  # another driver may have finished the table
        rewritten = {str(file["path"]) for file in self._log.rewritten}
        self._files.remove_leftovers({file.file for file in self._log.files} | rewritten)

    def rewritten_files(self) -> list[dict[str, Any]]:
        """Implements `Publisher`."""
        return self._log.rewritten
