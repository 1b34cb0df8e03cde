"""Shards of files that hold many images each: tar archives, SequenceFiles, Parquet. Pure.

Nobody knows how many images a file holds before it is read. A file is never divided, since archives are read from
their start; small ones share a shard.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from featx_api.source import Packed

from featx_job.failures import RunFailure
from featx_job.source import Listed

SHARD_BYTES = 64 * 1024 * 1024
ENDINGS = {"tar": ".tar", "parquet": ".parquet", "sequenceFile": "", "delta": ""}
DELTA_LOG = "_delta_log"


@dataclass(frozen=True)
class PackedShards:
    """`ShardList` of files.

    Attributes:
        base: What stands before a key in the address that executors read.
        groups: The files of each shard.
        settings: How they are read (dev.featx.source.PackedImages).
    """

    base: str
    groups: tuple[tuple[Listed, ...], ...]
    settings: dict[str, Any]

    @property
    def images(self) -> None:
        """Implements `ShardList`: they are counted when files are read."""
        return

    def __len__(self) -> int:
        """Implements `ShardList`."""
        return len(self.groups)

    def files(self) -> Iterable[Listed]:
        """Returns all files."""
        return chain.from_iterable(self.groups)

    def line(self, index: int) -> str:
        """Implements `ShardList`."""
        return self._line(index, self.groups[index])

    def samples(self, images: int) -> tuple[str, str]:
        """Implements `ShardList`: whole files, since how many images are in them is not known."""
        files = list(self.files())
        return self._line(0, files[:1]), self._line(0, files[len(files) // 2 :][:1])

    def _line(self, index: int, files: Sequence[Listed]) -> str:
        objects = [[each.key, each.size] for each in files]
        return json.dumps({"index": index, "base": self.base, "objects": objects, "packed": self.settings})

    def content(self) -> dict[str, Any]:
        """Implements `ShardList`."""
        return {"base": self.base, "groups": self.groups, "packed": self.settings}


def cut(base: str, files: Iterable[Listed], packed: Packed) -> PackedShards:
    """Returns the shards of a source's files, without those that are not of its format.

    Raises:
        RunFailure: SourceNotSupported, if Parquet files belong to a Delta table, whose log says which of them count.
    """
    wanted = []
    for file in files:
        if packed.format == "parquet" and DELTA_LOG in file.key.split("/"):
            raise RunFailure(
                "SourceNotSupported", f"spec.source.packed.format: {file.key} is a Delta table's: say delta"
            )
        if _is_wanted(file.key, packed.format):
            wanted.append(file)
    return PackedShards(base, tuple(_groups(wanted)), packed.to_wire())


def _is_wanted(key: str, format_: str) -> bool:
    # Writers of tables keep marks and logs beside them under such names.
    return key.endswith(ENDINGS[format_]) and not any(part.startswith(("_", ".")) for part in key.split("/"))


def _groups(files: Iterable[Listed]) -> Iterator[tuple[Listed, ...]]:
    group: list[Listed] = []
    for file in files:
        if group and sum(each.size for each in group) + file.size > SHARD_BYTES:
            yield tuple(group)
            group = []
        group.append(file)
    if group:
        yield tuple(group)
