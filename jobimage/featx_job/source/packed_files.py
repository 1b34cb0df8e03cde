"""Shards of files that each hold many images: archives, TFRecords, SequenceFiles, Parquet. Pure.

How many images a file holds is unknown until it has been read. Files are never split, since archives are read from
the start; small ones share a shard.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from featx_api.executor_contract import PackedLine, PackedSettings
from featx_api.failures import FailureClass
from featx_api.source import Packed

from featx_job.failures import RunFailure
from featx_job.source.objects import SkippedCounts, SourceObject

SHARD_BYTES = 64 * 1024 * 1024
DELTA_LOG = "_delta_log"
_COMPRESSED = r"(\.(gz|gzip|zst|zstd|bz2|xz|lz4|snappy|br|brotli))?$"
# Executors go by content: endings only keep them from opening what is stored beside the files.
_ENDINGS = {
    "tar": re.compile(rf"\.(tar|tgz|tbz2?|txz|tzst){_COMPRESSED}", re.IGNORECASE),
    "zip": re.compile(r"\.(zip|cbz)$", re.IGNORECASE),
    "tfrecord": re.compile(r"\.tfrecords?([.-].*)?$", re.IGNORECASE),
    "sequenceFile": re.compile(r"\.seq$", re.IGNORECASE),  # for auto
    "parquet": re.compile(rf"\.(parquet|parq|pq){_COMPRESSED}", re.IGNORECASE),
}


@dataclass(frozen=True)
class PackedShards:
    """`ShardList` of files.

    Attributes:
        base: Prefix that turns a key into the address that executors read.
        groups: The files of each shard.
        settings: How to read them.
        skipped: Number of files that were left out, by cause.
    """

    base: str
    groups: tuple[tuple[SourceObject, ...], ...]
    settings: PackedSettings
    skipped: SkippedCounts = field(default_factory=dict)

    @property
    def images(self) -> None:
        """Implements `ShardList`: images are counted as files are read."""
        return

    def __len__(self) -> int:
        """Implements `ShardList`."""
        return len(self.groups)

    def files(self) -> Iterable[SourceObject]:
        """Return all files."""
        return chain.from_iterable(self.groups)

    def line(self, index: int) -> str:
        """Implements `ShardList`."""
        return self._line(index, self.groups[index])

    def samples(self, images: int) -> tuple[str, str]:
        """Implements `ShardList`: whole files, since their number of images is unknown."""
        files = list(self.files())
        return self._line(0, files[:1]), self._line(0, files[len(files) // 2 :][:1])

    def check_line(self) -> str:
        """Return a shard of the first, the middle and the last file, to be checked before the run."""
        files = list(self.files())
        return self._line(0, list(dict.fromkeys((files[0], files[len(files) // 2], files[-1]))))

    def _line(self, index: int, files: Sequence[SourceObject]) -> str:
        objects = tuple((file.key, file.size) for file in files)
        return PackedLine(index=index, base=self.base, objects=objects, packed=self.settings).to_json()

    def to_json(self) -> dict[str, Any]:
        """Implements `ShardList`."""
        return {
            "base": self.base,
            "groups": self.groups,
            "packed": self.settings.to_wire(),
            "skipped": dict(sorted(self.skipped.items())),
        }


def group_files(base: str, files: Iterable[SourceObject], packed: Packed) -> PackedShards:
    """Return the shards of a source's files, skipping files of other formats.

    Args:
        base: Prefix that turns a key into the address that executors read.
        files: The source's files, in order.
        packed: Their format.

    Raises:
        RunFailure: SourceNotSupported, if Parquet files belong to a Delta table: its log decides which ones count.
    """
    selected = []
    for file in files:
        if packed.format in ("auto", "parquet") and DELTA_LOG in file.key.split("/"):
            message = f"spec.source.packed.format: {file.key} belongs to a Delta table; set packed.format to delta"
            raise RunFailure(FailureClass.SOURCE_NOT_SUPPORTED, message)
        if _has_format(file.key, packed.format):
            selected.append(file)
    return PackedShards(base, tuple(_groups(selected)), _settings(packed))


def _settings(packed: Packed) -> PackedSettings:
    return PackedSettings(
        format=packed.format,
        members=packed.members,
        name_column=packed.name_column,
        content_column=packed.content_column,
        url_column=packed.url_column,
        carry=tuple(packed.carry),
    )


def _has_format(key: str, format_: str) -> bool:
    # Writers of tables store markers and logs beside their files under such names.
    if any(part.startswith(("_", ".")) for part in key.split("/")):
        return False
    if format_ in ("sequenceFile", "delta") or "." not in key.rsplit("/", 1)[-1]:
        return True
    patterns = _ENDINGS.values() if format_ == "auto" else [_ENDINGS[format_]]
    return any(pattern.search(key) for pattern in patterns)


def _groups(files: Iterable[SourceObject]) -> Iterator[tuple[SourceObject, ...]]:
    group: list[SourceObject] = []
    for file in files:
        if group and sum(member.size for member in group) + file.size > SHARD_BYTES:
            yield tuple(group)
            group = []
        group.append(file)
    if group:
        yield tuple(group)
