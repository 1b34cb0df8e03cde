"""What the driver keeps of a file of the table: one record for all of its shards, so memory hardly grows with them.

The record is stored as a tag of the file in the table's log, where later attempts of the run find it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from featx_api.document import Document
from featx_api.executor_contract import Count, KeyRange, ShardResult
from featx_api.failures import QuarantineReason
from featx_api.group_contract import GroupResult
from pydantic import Field

QUARANTINE, JOINED = "quarantine", "joined"  # folders of the run


class FileRecord(Document):
    """A file of the table, with what is known of the consecutive shards whose rows it holds.

    Attributes:
        first: Index of the first shard.
        shards: Number of shards.
        file: Name of the file.
        features: Its rows.
        bytes: Its size.
        sha256: Its digest.
        keys: Range of its keys.
        failures: Images in quarantine.
        skipped: Images that were not selected.
        quarantine_file: Path of the quarantine's file in the run's folder; empty without one.
        failure_bytes: Size of that file.
        failure_sha256: Its digest.
        precisions: In which features were computed.
        reasons: Images in quarantine by reason.
    """

    first: Count
    shards: Count
    file: str
    features: Count
    bytes: Count
    sha256: str
    keys: KeyRange
    failures: Count = 0
    skipped: Count = 0
    quarantine_file: str = ""
    failure_bytes: Count = 0
    failure_sha256: str = ""
    precisions: tuple[str, ...] = ()
    reasons: dict[QuarantineReason, Count] = Field(default={})

    @property
    def end(self) -> int:
        """Index after the last shard."""
        return self.first + self.shards

    @property
    def quarantine_name(self) -> str:
        """Name of the quarantine's file."""
        return self.quarantine_file.rpartition("/")[2]

    @property
    def images(self) -> int:
        """Images that are finished with these shards."""
        return self.features + self.failures

    def manifest_entries(self, quarantine: str) -> Iterator[dict[str, Any]]:
        """Yield the manifest's entries of the files.

        Args:
            quarantine: Folder of the quarantine's files.
        """
        yield {"path": self.file, "rows": self.features, "bytes": self.bytes, "sha256": self.sha256}
        if self.failures:
            about = {"rows": self.failures, "bytes": self.failure_bytes, "sha256": self.failure_sha256}
            yield {"path": f"{quarantine}/{self.quarantine_name}", **about}


def of_shard(shard: ShardResult) -> FileRecord:
    """Return the record of a file that holds one shard."""
    return FileRecord(
        first=shard.index,
        shards=1,
        file=shard.file,
        features=shard.features,
        bytes=shard.bytes,
        sha256=shard.sha256,
        keys=shard.keys,
        failures=shard.failures,
        skipped=shard.skipped,
        quarantine_file=f"{QUARANTINE}/{shard.quarantine_file}" if shard.failures else "",
        failure_bytes=shard.failure_bytes,
        failure_sha256=shard.failure_sha256,
        precisions=(shard.precision,),
        reasons=shard.reasons,
    )


def of_group(shards: Sequence[ShardResult], result: GroupResult) -> FileRecord:
    """Return the record of a file into which consecutive shards were joined.

    Args:
        shards: In order.
        result: What the executor has written.
    """
    reasons: Counter[QuarantineReason] = Counter()
    for shard in shards:
        reasons.update(shard.reasons)
    return FileRecord(
        first=shards[0].index,
        shards=len(shards),
        file=result.file,
        features=result.rows,
        bytes=result.bytes,
        sha256=result.sha256,
        keys=result.keys,
        failures=sum(shard.failures for shard in shards),
        skipped=sum(shard.skipped for shard in shards),
        quarantine_file=f"{JOINED}/{result.quarantine_file}" if result.quarantine_file else "",
        failure_bytes=result.quarantine_bytes,
        failure_sha256=result.quarantine_sha256,
        precisions=tuple(sorted({shard.precision for shard in shards})),
        reasons=dict(reasons),
    )
