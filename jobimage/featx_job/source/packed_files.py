"""Shards of files that each hold many images: archives, TFRecords, SequenceFiles, Parquet. Pure.

How many images a file holds is unknown until it has been read. Small files share a shard, and archives are never
split, since they are read from the start. Tables of URLs are: to read rows is nothing against fetching their images.
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
URL_SHARD_BYTES = 256 * 1024  # of a table of URLs: some thousand rows
MOST_PARTS = 1000  # of a file: each reads the rows before its own
WHOLE = (0, 1)
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
        parts: Which part of its files each shard has, and of how many; empty if all have the whole.
    """

    base: str
    groups: tuple[tuple[SourceObject, ...], ...]
    settings: PackedSettings
    skipped: SkippedCounts = field(default_factory=dict)
    parts: tuple[tuple[int, int], ...] = ()

    @property
    def images(self) -> None:
        """Implements `ShardList`: images are counted as files are read."""
        return

    def __len__(self) -> int:
        """Implements `ShardList`."""
        return len(self.groups)

    def files(self) -> Iterable[SourceObject]:
        """Return all files."""
        return dict.fromkeys(chain.from_iterable(self.groups))

    def line(self, index: int) -> str:
        """Implements `ShardList`."""
        return self._line(index, self.groups[index], self.parts[index] if self.parts else WHOLE)

    def samples(self, images: int) -> tuple[str, str]:
        """Implements `ShardList`: whole files, since their number of images is unknown."""
        files = list(self.files())
        return self._line(0, files[:1]), self._line(0, files[len(files) // 2 :][:1])

    def check_line(self) -> str:
        """Return a shard of the first, the middle and the last file, to be checked before the run."""
        files = list(self.files())
        return self._line(0, list(dict.fromkeys((files[0], files[len(files) // 2], files[-1]))))

    def _line(self, index: int, files: Sequence[SourceObject], part: tuple[int, int] = WHOLE) -> str:
        objects = tuple((file.key, file.size) for file in files)
        return PackedLine(index=index, base=self.base, objects=objects, packed=self.settings, part=part).to_json()

    def to_json(self) -> dict[str, Any]:
        """Implements `ShardList`."""
        return {
            "base": self.base,
            "groups": self.groups,
            "packed": self.settings.to_wire(),
            "skipped": dict(sorted(self.skipped.items())),
            "parts": self.parts,
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
    if packed.url_column is None:
        return PackedShards(base, tuple(_groups(selected, SHARD_BYTES)), _settings(packed))
    shards = [(group, part) for group in _groups(selected, URL_SHARD_BYTES) for part in _parts(group)]
    groups, parts = tuple(group for group, _ in shards), tuple(part for _, part in shards)
    return PackedShards(base, groups, _settings(packed), parts=parts)


def _parts(group: Sequence[SourceObject]) -> Iterator[tuple[int, int]]:
    """Yield the parts of a table of URLs, or of several small ones."""
    count = min(-(-group[0].size // URL_SHARD_BYTES), MOST_PARTS) if len(group) == 1 else 1
    yield from ((number, max(1, count)) for number in range(max(1, count)))


def _settings(packed: Packed) -> PackedSettings:
    return PackedSettings(
        format=packed.format,
        members=packed.members,
        name_column=packed.name_column,
        content_column=packed.content_column,
        url_column=packed.url_column,
        carry=tuple(packed.carry),
    )


def packed_format(name: str) -> str | None:
    """Return the format of packed files that a name's ending stands for, or None."""
    return next((format_ for format_, pattern in _ENDINGS.items() if pattern.search(name)), None)


def _has_format(key: str, format_: str) -> bool:
    # Writers of tables store markers and logs beside their files under such names.
    if any(part.startswith(("_", ".")) for part in key.split("/")):
        return False
    if format_ in ("sequenceFile", "delta") or "." not in key.rsplit("/", 1)[-1]:
        return True
    patterns = _ENDINGS.values() if format_ == "auto" else [_ENDINGS[format_]]
    return any(pattern.search(key) for pattern in patterns)


def _groups(files: Iterable[SourceObject], most_bytes: int) -> Iterator[tuple[SourceObject, ...]]:
    group: list[SourceObject] = []
    for file in files:
        if group and sum(member.size for member in group) + file.size > most_bytes:
            yield tuple(group)
            group = []
        group.append(file)
    if group:
        yield tuple(group)
