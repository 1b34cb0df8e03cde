"""What earlier tables were made of, so that a run does only what is new or has changed since.

A run's shard list stays beside its table, with the version of each object as it was listed. That is all that is needed,
and holds the pictures that ended in quarantine too: what is broken is not tried again until it changes.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator

from featx_job.packed import PackedShards
from featx_job.shards import ListedShards, RangeShards, ShardList, from_bytes
from featx_job.sources import Listed
from featx_job.storage import Storage
from featx_job.table import MANIFEST, SHARD_LIST, SUCCESS

CLOCKS_DIFFER = 5 * 60 * 1000

LOG = logging.getLogger(__name__)


def lists(tables: Storage) -> list[ShardList]:
    """Returns the shard lists of finished tables, the newest last.

    Args:
        tables: A table, or a folder of tables.
    """
    paths = {file.path for file in tables.files("")}
    finished = []
    for path in paths:
        folder, name = path.rsplit("/", 1) if "/" in path else ("", path)
        start = f"{folder}/" if folder else ""
        if name == MANIFEST and start + SUCCESS in paths:
            manifest = json.loads(tables.read(path) or b"{}")
            finished.append((manifest["completionTime"], f"{start}_featx/{manifest['uid']}/{SHARD_LIST}"))
    stored = [tables.read(path) for _, path in sorted(finished)]
    LOG.info("%d earlier tables", len(stored))
    return [from_bytes(data) for data in stored if data is not None]


def versions(before: Iterable[ShardList], base: str) -> dict[str, str]:
    """Returns the version of each object that a table was made of, by its key; of several tables the newest counts.

    Args:
        before: Shard lists, the newest last.
        base: What stands before the source's keys; tables of other sources do not count.
    """
    known: dict[str, str] = {}
    for shards in before:
        if isinstance(shards, ListedShards | PackedShards) and shards.base == base:
            known.update((each.key, each.version) for each in shards.files())
    LOG.info("%d objects are in earlier tables", len(known))
    return known


def planned(before: Iterable[ShardList], base: str) -> int:
    """Returns from when on cells of a table are new, in milliseconds; 0 if no earlier table was made of it.

    That is some minutes before the newest run was planned: a cell's time is that of a server's clock, or of its
    writer's, and a row that is read twice is only newer in the later table.

    Args:
        before: Shard lists.
        base: What tells the table from others.
    """
    times = [shards.planned for shards in before if isinstance(shards, RangeShards) and shards.base == base]
    return max(0, max(times, default=0) - CLOCKS_DIFFER)


def changed(objects: Iterable[Listed], known: dict[str, str]) -> Iterator[Listed]:
    """Yields the objects that earlier tables don't have, or had in another version."""
    return (each for each in objects if not each.version or known.get(each.key) != each.version)
