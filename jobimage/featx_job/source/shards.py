"""Cuts a source into shards: the list that is made once, by a run's first attempt, and read by every later one. Pure.

What a shard holds never changes in a run's life, whatever is uploaded meanwhile: its number names its files, and that
is why a shard that is done twice counts once. Objects are listed one by one; of a table only the ranges are known.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from featx_job.source import Listed
from featx_job.source.key_ranges import Range
from featx_job.source.packed_files import PackedShards


class ShardList(Protocol):
    """All shards of a run."""

    @property
    def images(self) -> int | None:
        """How many images they hold, or None where nobody knows before they are read."""

    def __len__(self) -> int:
        """Returns the number of shards."""

    def line(self, index: int) -> str:
        """Returns one shard as executors read it (dev.featx.source.Shard)."""

    def samples(self, images: int) -> tuple[str, str]:
        """Returns two lots of images from all over the source, as lines; they differ where there are enough."""

    def content(self) -> dict[str, Any]:
        """Returns the list as it is stored beside the output (`to_bytes`)."""


@dataclass(frozen=True)
class ListedShards:
    """`ShardList` of objects.

    Attributes:
        base: What stands before a key in the address that executors read.
        objects: All images, in order.
        images_per_shard: How many a shard holds; the last one may hold fewer.
    """

    base: str
    objects: tuple[Listed, ...]
    images_per_shard: int

    @property
    def images(self) -> int:
        """Implements `ShardList`."""
        return len(self.objects)

    def __len__(self) -> int:
        """Implements `ShardList`."""
        return -(-len(self.objects) // self.images_per_shard)

    def files(self) -> Iterable[Listed]:
        """Returns all objects."""
        return self.objects

    def of(self, index: int) -> tuple[Listed, ...]:
        """Returns the images of one shard."""
        start = index * self.images_per_shard
        return self.objects[start : start + self.images_per_shard]

    def line(self, index: int) -> str:
        """Implements `ShardList`."""
        return self._line(index, self.of(index))

    def samples(self, images: int) -> tuple[str, str]:
        """Implements `ShardList`."""
        step = max(1, len(self.objects) // (2 * images))
        spread = self.objects[::step][: 2 * images]
        first, second = spread[::2], spread[1::2]
        return self._line(0, first), self._line(0, second or first)

    def _line(self, index: int, images: tuple[Listed, ...]) -> str:
        objects = [[each.key, each.size] for each in images]
        return json.dumps({"index": index, "base": self.base, "objects": objects})

    def content(self) -> dict[str, Any]:
        """Implements `ShardList`."""
        return {
            "base": self.base,
            "imagesPerShard": self.images_per_shard,
            "objects": self.objects,
        }


@dataclass(frozen=True)
class RangeShards:
    """`ShardList` of ranges of a table's rows.

    Attributes:
        ranges: Of each shard one or several.
        base: What tells the table from others.
        planned: When they were made, in milliseconds as cells' timestamps are: what is in the table by then is read.
        since: Cells that are older are passed over; 0 for none.
    """

    ranges: tuple[tuple[Range, ...], ...]
    base: str = ""
    planned: int = 0
    since: int = 0

    @property
    def images(self) -> None:
        """Implements `ShardList`: rows are counted when they are read."""
        return

    def __len__(self) -> int:
        """Implements `ShardList`."""
        return len(self.ranges)

    def line(self, index: int) -> str:
        """Implements `ShardList`."""
        return json.dumps({"index": index, "ranges": _hexadecimal(self.ranges[index]), "since": self.since})

    def samples(self, images: int) -> tuple[str, str]:
        """Implements `ShardList`: the first rows of ranges from all over the table."""
        step = max(1, len(self.ranges) // (2 * images))
        spread = [group[0] for group in self.ranges[::step][: 2 * images]]
        first, second = spread[::2], spread[1::2]
        return self._sample(first, images), self._sample(second or first, images)

    def _sample(self, ranges: Sequence[Range], images: int) -> str:
        return json.dumps({"index": 0, "ranges": _hexadecimal(ranges), "limit": -(-images // len(ranges))})

    def content(self) -> dict[str, Any]:
        """Implements `ShardList`."""
        times = {"planned": self.planned, "since": self.since}
        return {"ranges": [_hexadecimal(group) for group in self.ranges], "base": self.base, **times}


def cut(base: str, objects: Iterable[Listed], images_per_shard: int) -> ListedShards:
    """Returns the shards of listed objects, in their order."""
    return ListedShards(base, tuple(objects), images_per_shard)


def to_bytes(shards: ShardList) -> bytes:
    """Returns a list as it is stored: the same bytes each time."""
    return gzip.compress(json.dumps(shards.content()).encode(), mtime=0)


def from_bytes(data: bytes) -> ShardList:
    """Returns the list that an earlier attempt has stored."""
    content: dict[str, Any] = json.loads(gzip.decompress(data))
    if "ranges" in content:
        ranges = tuple(tuple(_range(*pair) for pair in group) for group in content["ranges"])
        return RangeShards(ranges, content["base"], content["planned"], content["since"])
    if "groups" in content:
        groups = tuple(tuple(Listed(*each) for each in group) for group in content["groups"])
        return PackedShards(content["base"], groups, content["packed"])
    objects = tuple(Listed(*each) for each in content["objects"])
    return ListedShards(content["base"], objects, content["imagesPerShard"])


def _hexadecimal(ranges: Sequence[Range]) -> list[list[str]]:
    return [[each.start.hex(), each.stop.hex()] for each in ranges]


def _range(start: str, stop: str) -> Range:
    return Range(bytes.fromhex(start), bytes.fromhex(stop))
