"""Publishes a Delta Lake table: shards become transactions in its log.

A new table grows during the run: a group of shards is committed as soon as all of them are done. An existing table
(`output.mode: incremental`) is updated by one transaction at the end, which adds the run's rows and removes those that
they replace, so that no reader ever sees a key twice. A new table to which another run adds rows meanwhile is finished
the same way.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from featx_api.executor_contract import ReplacementResult, ReplacementTask, ShardResult
from featx_api.failures import FailureClass

from featx_job import stored_json
from featx_job.failures import RunFailure
from featx_job.table import delta_entries, earlier_runs
from featx_job.table.delta_entries import Snapshot
from featx_job.table.delta_log import DeltaLog
from featx_job.table.publisher import RewriteFiles, ShardsDone
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
        self._commit: Future[None] | None = None

    @property
    def features_uri(self) -> str:
        """Implements `Publisher`: files are written to their final place, as only the log adds them to the table."""
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

    def resume(self) -> list[ShardResult]:
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
        marked = {shard.index: shard for shard in self._files.marked_shards()}
        return list((marked | self._log.committed).values())

    def publish_shards(self, done: ShardsDone, shard_count: int) -> None:
        """Implements `Publisher`: commits complete groups in the background, unless a commit is still running."""
        if self.updates_table or (self._commit and not self._commit.done()):
            return
        self._wait_for_commit()
        thread = ThreadPoolExecutor(1, "delta-commit")
        self._commit = thread.submit(self._commit_groups, dict(done), shard_count)
        thread.shutdown(wait=False)  # it ends after this commit

    def _wait_for_commit(self) -> None:
        if self._commit:
            self._commit.result()

    def _commit_groups(self, done: ShardsDone, shard_count: int) -> None:
        while not self.updates_table and (indices := delta_entries.group_shards(self._log.next_group, shard_count)):
            if not all(index in done for index in indices):
                return
            self._commit_group([done[index] for index in indices])

    def _commit_group(self, shards: Sequence[ShardResult]) -> None:
        """Commit the next group, unless another driver has, or others add rows that may have the same keys."""
        group = self._log.next_group
        data = delta_entries.append(self._log.committer, group, datetime.now(UTC), shards)
        while self._log.next_group == group and not self.updates_table:
            entry = self._log.append(data)
            if not self._log.is_own(entry) and entry.changes_schema:
                message = f"spec.output.uri: columns or properties of {self._files.uri} changed during the run"
                raise RunFailure(FailureClass.OUTPUT_EXISTS, f"{message}; choose another address")
        if self._log.next_group > group:
            LOG.info("committed group %d of the table: %d shards", group, len(shards))

    def finalize(self, done: ShardsDone, shard_count: int, rewrite: RewriteFiles) -> list[ShardResult]:
        """Implements `Publisher`."""
        self._wait_for_commit()
        self._commit_groups(done, shard_count)
        if self._uncommitted(done):
            self._merge(done, rewrite)
        return [self._log.committed[index] for index in sorted(self._log.committed)]

    def _uncommitted(self, done: ShardsDone) -> list[ShardResult]:
        return [done[index] for index in sorted(done) if index not in self._log.committed]

    def _merge(self, done: ShardsDone, rewrite: RewriteFiles) -> None:
        for _ in range(TRIES):
            newest = self._snapshots.newest()
            self._check_updatable(newest)
            self._log.read_up_to(newest.version)
            shards = self._uncommitted(done)
            if not shards:
                return  # another driver of this run has committed them
            results = self._rewrite(newest, shards, rewrite)
            time = datetime.now(UTC)
            entry = delta_entries.merge(self._log.committer, self._log.next_group, time, shards, results)
            if self._log.is_own(self._log.append(entry)) and not self._uncommitted(done):
                return
            self._files.storage.remove([result.rewritten.file for result in results if result.rewritten])
            LOG.info("another writer committed first: retrying on the new version")
        message = f"gave up after {TRIES} commit conflicts; pause other writers to {self._files.uri}"
        raise RunFailure(FailureClass.OUTPUT_BUSY, f"spec.output.uri: {message}")

    def _rewrite(
        self, table: Snapshot, shards: Sequence[ShardResult], rewrite: RewriteFiles
    ) -> list[ReplacementResult]:
        home = self._files.storage.hadoop_uri
        tasks = [
            ReplacementTask(
                path=path,
                old=old,
                newer=tuple(f"{home}/{name}" for name in newer),
                file=f"part-{uuid.uuid4()}.parquet",
            )
            for path, old, newer in delta_entries.overlapping_files(table.files, shards)
        ]
        return rewrite(tasks) if tasks else []

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

    def rewritten_files(self) -> list[dict[str, Any]]:
        """Implements `Publisher`."""
        return self._log.rewritten
