"""The result of a shard, as executors report it and as it is stored beside the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_FIELDS = ("index", "file", "features", "failures", "bytes", "failure_bytes", "precision", "sha256", "failure_sha256")
_OF_MARK = ("index", "file", "features", "failures", "bytes", "failureBytes", "precision", "sha256", "failureSha256")


def key_range(told: Mapping[str, str | None]) -> tuple[str, str] | None:
    """Returns between which keys a file's rows lie, as executors say it (dev.featx.table.KeyRange)."""
    first, last = told["first"], told["last"]
    return None if first is None or last is None else (first, last)


@dataclass(frozen=True)
class ShardResult:
    """What a shard came to.

    Attributes:
        index: Of the shard.
        file: What the table's file is called.
        features: Rows in the table.
        failures: Rows in the quarantine.
        bytes: Of the table's file.
        failure_bytes: Of the quarantine's.
        precision: That features were computed in.
        sha256: Of the table's file.
        failure_sha256: Of the quarantine's.
        keys: The smallest and the largest key of the table's rows, in the order of code points; None without rows.
    """

    index: int
    file: str
    features: int
    failures: int
    bytes: int
    failure_bytes: int
    precision: str
    sha256: str
    failure_sha256: str
    keys: tuple[str, str] | None = None

    @classmethod
    def from_mark(cls, mark: Mapping[str, Any]) -> ShardResult:
        """Returns what an executor says of a shard, in its result and in its mark (dev.featx.table.ShardResult)."""
        told = dict(zip(_FIELDS, (mark[name] for name in _OF_MARK), strict=True))
        return cls(**told, keys=key_range(mark["keys"]))

    def to_mark(self) -> dict[str, Any]:
        """Returns the same as a mark has it."""
        first, last = self.keys or (None, None)
        values = (getattr(self, name) for name in _FIELDS)
        return {**dict(zip(_OF_MARK, values, strict=True)), "keys": {"first": first, "last": last}}

    @property
    def quarantine_file(self) -> str:
        """Returns what its file in the quarantine is called (dev.featx.source.Shard, fileName)."""
        return f"part-{self.index:05}.parquet"

    @property
    def images(self) -> int:
        """Returns how many images are finished with it."""
        return self.features + self.failures
