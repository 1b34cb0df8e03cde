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
from featx_job.source import globs
from featx_job.source.objects import SkippedCounts, SourceObject
from featx_job.source.shard_list import PlannedShards

SHARD_BYTES = 64 * 1024 * 1024
URL_SHARD_BYTES = 256 * 1024  # of a table of URLs: some thousand rows
URLS_PER_SHARD = 500  # that are selected by keys
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
class PackedShards(PlannedShards):
    """`ShardList` of files.

    Attributes:
        base: Prefix that turns a key into the address that executors read.
        groups: The files of each shard.
        settings: How to read them.
        skipped: Number of files that were left out, by cause.
        parts: Which part of its files each shard has, and of how many; empty if all have the whole.
        keys: The images, or whole files, that each shard reads; empty if all are read.
    """

    base: str
    groups: tuple[tuple[SourceObject, ...], ...]
    settings: PackedSettings
    skipped: SkippedCounts = field(default_factory=dict)
    parts: tuple[tuple[int, int], ...] = ()
    keys: tuple[tuple[str, ...], ...] = ()

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
        part = self.parts[index] if self.parts else WHOLE
        return self._line(index, self.groups[index], part, self.keys[index] if self.keys else ())

    def samples(self, images: int) -> tuple[str, str]:
        """Implements `ShardList`: whole files, since their number of images is unknown."""
        files = list(self.files())
        return self._line(0, files[:1]), self._line(0, files[len(files) // 2 :][:1])

    def check_line(self) -> str:
        """Return a shard of the first, the middle and the last file, to be checked before the run."""
        files = list(self.files())
        return self.line_of(list(dict.fromkeys((files[0], files[len(files) // 2], files[-1]))))

    def line_of(self, files: Sequence[SourceObject]) -> str:
        """Return a shard of some files, to be looked at before the run."""
        return self._line(0, files)

    def _line(
        self,
        index: int,
        files: Sequence[SourceObject],
        part: tuple[int, int] = WHOLE,
        keys: tuple[str, ...] = (),
    ) -> str:
        objects = tuple((file.key, file.size) for file in files)
        members = self.settings.members
        packed = self.settings.model_copy(update={"members": members and globs.matcher([members]).pattern})
        return PackedLine(index=index, base=self.base, objects=objects, packed=packed, part=part, keys=keys).to_json()

    def to_json(self) -> dict[str, Any]:
        """Implements `ShardList`."""
        return {
            "base": self.base,
            "groups": self.groups,
            "packed": self.settings.to_wire(),
            "skipped": dict(sorted(self.skipped.items())),
            "parts": self.parts,
            "keys": self.keys,
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


def group_keys(base: str, files: Iterable[SourceObject], packed: Packed, keys: Iterable[str]) -> PackedShards:
    """Return shards of selected images: only the files that hold them are read, and only up to the last one.

    A key is a file's, a slash and an image's name, or a file's alone for all its images. One of no file is listed as a
    file, so that its reader reports it missing.

    Args:
        base: Prefix that turns a key into the address that executors read.
        files: All files of the source, in order.
        packed: Their format.
        keys: Of the images.
    """
    by_key = {file.key: file for file in files}
    wanted: dict[SourceObject, list[str]] = {}
    for key in sorted(set(keys), key=str.encode):
        slashes = (match.start() for match in re.finditer("/", key))
        file = next((by_key[key[:end]] for end in (*slashes, len(key)) if key[:end] in by_key), SourceObject(key, 1))
        wanted.setdefault(file, []).append(key)
    if packed.url_column is None:
        groups = list(_groups(wanted, SHARD_BYTES))
        chosen = [tuple(chain.from_iterable(wanted[file] for file in group)) for group in groups]
    else:  # all of a shard's URLs are fetched by one task
        shares = [(file, share) for file, names in wanted.items() for share in _shares(file.key, names)]
        groups, chosen = [(file,) for file, _ in shares], [share for _, share in shares]
    return PackedShards(base, tuple(groups), _settings(packed), keys=tuple(chosen))


def _shares(file: str, keys: list[str]) -> Iterator[tuple[str, ...]]:
    if file in keys:
        yield (file,)
    else:
        yield from (tuple(keys[start : start + URLS_PER_SHARD]) for start in range(0, len(keys), URLS_PER_SHARD))


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
