"""Cuts a source into shards: the list that is made once, by a run's first attempt, and read by every later one. Pure.

What a shard holds never changes in a run's life, whatever is uploaded meanwhile: its number names its files, and that
is why a shard that is done twice counts once.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from featx_job.sources import Listed


@dataclass(frozen=True)
class ShardList:
    """All shards of a run.

    Attributes:
        base: What stands before a key in the address that executors read.
        objects: All pictures, in order.
        pictures_a_shard: How many a shard holds; the last one may hold fewer.
    """

    base: str
    objects: tuple[Listed, ...]
    pictures_a_shard: int

    def __len__(self) -> int:
        """Returns the number of shards."""
        return -(-len(self.objects) // self.pictures_a_shard)

    def of(self, index: int) -> tuple[Listed, ...]:
        """Returns the pictures of one shard."""
        start = index * self.pictures_a_shard
        return self.objects[start : start + self.pictures_a_shard]

    def line(self, index: int) -> str:
        """Returns one shard as executors read it (dev.featx.pipeline.Shard)."""
        return self._line(index, self.of(index))

    def samples(self, pictures: int) -> tuple[str, str]:
        """Returns two lots of pictures from all over the source, as lines; they differ where there are enough."""
        step = max(1, len(self.objects) // (2 * pictures))
        spread = self.objects[::step][: 2 * pictures]
        first, second = spread[::2], spread[1::2]
        return self._line(0, first), self._line(0, second or first)

    def _line(self, index: int, pictures: tuple[Listed, ...]) -> str:
        objects = [[each.key, each.size] for each in pictures]
        return json.dumps({"index": index, "base": self.base, "objects": objects})

    def to_bytes(self) -> bytes:
        """Returns the list as it is stored beside the output: the same bytes each time."""
        content = {
            "base": self.base,
            "picturesAShard": self.pictures_a_shard,
            "objects": [[each.key, each.size] for each in self.objects],
        }
        return gzip.compress(json.dumps(content).encode(), mtime=0)


def cut(base: str, objects: Iterable[Listed], pictures_a_shard: int) -> ShardList:
    """Returns the shards of a source, in its order."""
    return ShardList(base, tuple(objects), pictures_a_shard)


def from_bytes(data: bytes) -> ShardList:
    """Returns the list that an earlier attempt has stored."""
    content: dict[str, Any] = json.loads(gzip.decompress(data))
    objects = tuple(Listed(key, size) for key, size in content["objects"])
    return ShardList(content["base"], objects, content["picturesAShard"])
