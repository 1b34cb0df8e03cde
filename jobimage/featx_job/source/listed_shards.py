"""Shards of a source whose list is in pieces: planned in stages, each as large as the work of its images asks for.

How long an image takes is known once some are done. So the first stage has small shards, and later ones have shards of
about a minute. What a stage has decided is stored: every attempt has the same shards.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from featx_api.executor_contract import ListedLine, ObjectsLine

from featx_job.source.objects import SkippedCounts, SourceObject
from featx_job.source.pieces import PIECE_OBJECTS, Pieces
from featx_job.source.shard_list import Work

FIRST_IMAGES = 32  # per shard, while nothing is measured
FIRST_SHARDS = 256
STAGE_SHARDS = 20_000
MOST_IMAGES = 10_000  # per shard
SHORTEST = 1e-6  # seconds per image
SHARD_SECONDS = 45.0  # a shard that was begun ends within the notice of a spot node
STAGE_IMAGES = 4_000_000  # whose sizes are held at a time
WAVES = 8  # shards per task at a time, at least, so that all end at about the same time
CARRIED_KEYS = 128  # per line; an executor that reads a piece reads thousands


class Listing(Protocol):
    """What fills the list while the run works (`featx_job.listing`)."""

    def check(self) -> None:
        """Raise what has ended the listing before the source's end."""

    def stop(self) -> None:
        """End soon, since nobody needs more."""


class StageStore(Protocol):
    """Where the stages of a run are stored, for all of its attempts."""

    def stages(self) -> list[bytes]:
        """Return those stored so far, in order."""

    def add_stage(self, number: int, data: bytes) -> bytes:
        """Store a stage, unless another driver has; return what is stored."""


@dataclass
class ListedShards:
    """`ShardList` of the objects of a list.

    Attributes:
        pieces: The list.
        store: Of stages.
        shard_images: Images per shard; None to choose by work.
        listing: What fills the list; None if it is complete.
    """

    pieces: Pieces
    store: StageStore
    shard_images: int | None = None
    listing: Listing | None = None

    def __post_init__(self) -> None:
        """Read the stages that earlier attempts have planned."""
        self._starts = array("q", [0])  # the first object of each shard, and the end of the last one
        self._stages = 0
        for stage in self.store.stages():
            self._add(stage)

    @property
    def base(self) -> str:
        """Prefix that turns a key into the address that executors read."""
        return self.pieces.base

    @property
    def images(self) -> int:
        """Implements `ShardList`: those listed so far."""
        return len(self.pieces)

    @property
    def skipped(self) -> SkippedCounts:
        """Implements `ShardList`."""
        return self.pieces.skipped

    @property
    def complete(self) -> bool:
        """Implements `ShardList`."""
        return self.pieces.complete and self._starts[-1] == len(self.pieces)

    @property
    def expected(self) -> int:
        """Implements `ShardList`."""
        last = self._starts[-1] - self._starts[-2] if len(self) else self._size(Work(0.0, 1))
        return len(self) + -(-(len(self.pieces) - self._starts[-1]) // max(1, last))

    def __len__(self) -> int:
        """Implements `ShardList`: those planned so far."""
        return len(self._starts) - 1

    def files(self) -> Iterator[SourceObject]:
        """Yield all objects that are listed."""
        return self.pieces.files()

    def line(self, index: int) -> str:
        """Implements `ShardList`."""
        first, end = self._starts[index], self._starts[index + 1]
        if end - first <= CARRIED_KEYS:
            return self._line(index, self.pieces.objects(first, end - first))
        spans = self.pieces.spans(first, end - first)
        return ListedLine(index=index, base=self.base, spans=tuple(map(tuple, spans))).to_json()

    def samples(self, images: int) -> tuple[str, str]:
        """Implements `ShardList`: from across the pieces that are there, few of which are read."""
        total = len(self.pieces)
        pieces = [*range(0, total, PIECE_OBJECTS)]
        chosen = pieces[:: max(1, len(pieces) // 4)][:4]
        each = -(-2 * images // len(chosen))
        spread = [
            file
            for first in chosen
            for file in _spread(self.pieces.objects(first, min(PIECE_OBJECTS, total - first)), each)
        ][: 2 * images]
        first, second = spread[::2], spread[1::2]
        return self._line(0, first), self._line(0, second or first)

    def _line(self, index: int, images: list[SourceObject]) -> str:
        objects = tuple((image.key, image.size) for image in images)
        return ObjectsLine(index=index, base=self.base, objects=objects).model_dump_json(by_alias=True)

    def plan(self, work: Work) -> None:
        """Implements `ShardList`: plans the next stage, of objects that are listed."""
        if self.listing:
            self.listing.check()
        complete, listed = self.pieces.complete, len(self.pieces)
        images = self._size(work)
        most = FIRST_SHARDS if not work.seconds and self.shard_images is None else STAGE_SHARDS
        left = listed - self._starts[-1]
        total = min(left, images * most, max(images, STAGE_IMAGES))
        counts = self._counts(images, total, whole=complete and total == left)
        if counts:
            data = json.dumps({"first": len(self), "images": counts}).encode()
            self._add(self.store.add_stage(self._stages, data))

    def close(self) -> None:
        """Implements `ShardList`."""
        if self.listing:
            self.listing.stop()

    def _size(self, work: Work) -> int:
        """Return the number of images of the next shards."""
        if self.shard_images is not None:
            return self.shard_images
        if not work.seconds:
            return FIRST_IMAGES
        left = len(self.pieces) - self._starts[-1]
        fair = left // (WAVES * work.tasks) if self.pieces.complete else MOST_IMAGES
        return max(FIRST_IMAGES, min(MOST_IMAGES, fair, round(SHARD_SECONDS / max(work.seconds, SHORTEST))))

    def _counts(self, images: int, total: int, *, whole: bool) -> list[int]:
        """Return the number of images of each shard; large images, of which a shard has fewer, count several times."""
        counts, start = list[int](), 0
        most = 4 * images * max(1, self.pieces.bytes // max(1, len(self.pieces)))
        ends = np.cumsum(self.pieces.sizes(self._starts[-1], total)) if self.shard_images is None else None
        while start < total:
            end = start + images
            if ends is not None:
                before = ends[start - 1] if start else 0
                end = min(end, int(np.searchsorted(ends, before + most)) + 1)
            if end > total and not whole:
                break
            counts.append(min(end, total) - start)
            start += counts[-1]
        return counts

    def _add(self, stage: bytes) -> None:
        content: dict[str, Any] = json.loads(stage)
        for images in content["images"]:
            self._starts.append(self._starts[-1] + images)
        self._stages += 1


def _spread(files: list[SourceObject], count: int) -> list[SourceObject]:
    return files[:: max(1, len(files) // count)][:count]
