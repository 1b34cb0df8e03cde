"""Splits a source into shards: the list is built once, by a run's first attempt, and read by all later ones. Pure.

These lists are held and stored as a whole. Objects are listed one by one; for HBase tables only row ranges are known.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from featx_api.executor_contract import ObjectsLine, PackedSettings, RangesLine

from featx_job import stored_json
from featx_job.source.key_ranges import Range
from featx_job.source.objects import SkippedCounts, SourceObject
from featx_job.source.packed_files import PackedShards
from featx_job.source.shard_list import PlannedShards, ShardList

SCHEMA_VERSION = 1  # of the stored list
_EARLIER_PACKED: Mapping[str, Any] = {
    "members": None,
    "nameColumn": None,
    "contentColumn": None,
    "urlColumn": None,
    "carry": [],
}


class StoredShards(ShardList, Protocol):
    """Shards of which the driver stores the whole list in one file (`to_bytes`)."""

    def to_json(self) -> dict[str, Any]:
        """Return the list as it is stored beside the output."""


@dataclass(frozen=True)
class ObjectShards(PlannedShards):
    """`ShardList` of objects.

    Attributes:
        base: Prefix that turns a key into the address that executors read.
        objects: All images, in order.
        images_per_shard: Size of a shard; the last one may be smaller.
        skipped: Number of files that were left out, by cause.
    """

    base: str
    objects: tuple[SourceObject, ...]
    images_per_shard: int
    skipped: SkippedCounts = field(default_factory=dict)

    @property
    def images(self) -> int:
        """Implements `ShardList`."""
        return len(self.objects)

    def __len__(self) -> int:
        """Implements `ShardList`."""
        return -(-len(self.objects) // self.images_per_shard)

    def files(self) -> Iterable[SourceObject]:
        """Return all objects."""
        return self.objects

    def shard(self, index: int) -> tuple[SourceObject, ...]:
        """Return the images of one shard."""
        start = index * self.images_per_shard
        return self.objects[start : start + self.images_per_shard]

    def line(self, index: int) -> str:
        """Implements `ShardList`."""
        return self._line(index, self.shard(index))

    def samples(self, images: int) -> tuple[str, str]:
        """Implements `ShardList`."""
        step = max(1, len(self.objects) // (2 * images))
        spread = self.objects[::step][: 2 * images]
        first, second = spread[::2], spread[1::2]
        return self._line(0, first), self._line(0, second or first)

    def _line(self, index: int, images: tuple[SourceObject, ...]) -> str:
        objects = tuple((image.key, image.size) for image in images)
        return ObjectsLine(index=index, base=self.base, objects=objects).to_json()

    def to_json(self) -> dict[str, Any]:
        """Implements `StoredShards`."""
        return {
            "base": self.base,
            "imagesPerShard": self.images_per_shard,
            "objects": self.objects,
            "skipped": dict(sorted(self.skipped.items())),
        }


@dataclass(frozen=True)
class RangeShards(PlannedShards):
    """`ShardList` of an HBase table's row ranges.

    Attributes:
        ranges: One or more per shard.
        base: Identifies the table and its column.
        planned: When the ranges were planned, in milliseconds like cells' timestamps; later cells may be missed.
        since: Cells older than this are skipped; 0 for no limit.
    """

    ranges: tuple[tuple[Range, ...], ...]
    base: str = ""
    planned: int = 0
    since: int = 0

    @property
    def skipped(self) -> SkippedCounts:
        """Implements `ShardList`: rows are left out as they are read."""
        return {}

    @property
    def images(self) -> None:
        """Implements `ShardList`: rows are counted as they are read."""
        return

    def __len__(self) -> int:
        """Implements `ShardList`."""
        return len(self.ranges)

    def line(self, index: int) -> str:
        """Implements `ShardList`."""
        return self._line(index, self.ranges[index], self.since, 0)

    def samples(self, images: int) -> tuple[str, str]:
        """Implements `ShardList`: the first rows of ranges from across the table."""
        step = max(1, len(self.ranges) // (2 * images))
        spread = [group[0] for group in self.ranges[::step][: 2 * images]]
        first, second = spread[::2], spread[1::2]
        return self._sample(first, images), self._sample(second or first, images)

    def _sample(self, ranges: Sequence[Range], images: int) -> str:
        return self._line(0, ranges, 0, -(-images // len(ranges)))

    @staticmethod
    def _line(index: int, ranges: Sequence[Range], since: int, limit: int) -> str:
        return RangesLine(index=index, ranges=_hexadecimal(ranges), since=since, limit=limit).to_json()

    def to_json(self) -> dict[str, Any]:
        """Implements `StoredShards`."""
        times = {"planned": self.planned, "since": self.since}
        return {"ranges": [_hexadecimal(group) for group in self.ranges], "base": self.base, **times}


def split_objects(
    base: str, objects: Iterable[SourceObject], images_per_shard: int, skipped: SkippedCounts | None = None
) -> ObjectShards:
    """Return the shards of listed objects, in their order."""
    return ObjectShards(base, tuple(objects), images_per_shard, skipped or {})


def to_bytes(shards: StoredShards) -> bytes:
    """Return a list as it is stored. The same list always gives the same bytes."""
    return gzip.compress(stored_json.to_bytes(shards.to_json(), SCHEMA_VERSION), mtime=0)


def from_bytes(data: bytes) -> StoredShards:
    """Return the list that an earlier attempt stored, which may be one of an earlier version of Featx.

    Raises:
        RunFailure: OutputExists, if a newer version has stored it.
    """
    content = stored_json.from_bytes(gzip.decompress(data), SCHEMA_VERSION, "the shard list")
    if "ranges" in content:
        ranges = tuple(tuple(_range(*pair) for pair in group) for group in content["ranges"])
        return RangeShards(ranges, content["base"], content["planned"], content["since"])
    if "groups" in content:
        groups = tuple(tuple(SourceObject(*file) for file in group) for group in content["groups"])
        settings = PackedSettings.model_validate(_EARLIER_PACKED | content["packed"])
        parts = tuple((number, count) for number, count in content.get("parts", ()))
        chosen = tuple(map(tuple, content.get("keys", ())))
        return PackedShards(content["base"], groups, settings, content.get("skipped", {}), parts, chosen)
    size = "imagesPerShard" if "imagesPerShard" in content else "picturesAShard"
    objects = tuple(SourceObject(*image) for image in content["objects"])
    return ObjectShards(content["base"], objects, content[size], content.get("skipped", {}))


def _hexadecimal(ranges: Sequence[Range]) -> tuple[tuple[str, str], ...]:
    return tuple((part.start.hex(), part.stop.hex()) for part in ranges)


def _range(start: str, stop: str) -> Range:
    return Range(bytes.fromhex(start), bytes.fromhex(stop))
