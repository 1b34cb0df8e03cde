"""What earlier tables were made of, so that a run does only what is new or has changed since.

A run's shard list stays beside its table, with the version of each object as it was listed. That is all that is needed,
and holds the pictures that ended in quarantine too: what is broken is not tried again until it changes.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator

from featx_job.packed import PackedShards
from featx_job.shards import ListedShards, from_bytes
from featx_job.sources import Listed
from featx_job.storage import Storage
from featx_job.table import MANIFEST, SHARD_LIST, SUCCESS

LOG = logging.getLogger(__name__)


def versions(tables: Storage, base: str) -> dict[str, str]:
    """Returns the version of each object that a table was made of, by its key; of several tables the newest counts.

    Args:
        tables: A table, or a folder of tables; those that are not finished do not count.
        base: What stands before the source's keys; tables of other sources do not count.
    """
    paths = {file.path for file in tables.files("")}
    finished = []
    for path in paths:
        folder, name = path.rsplit("/", 1) if "/" in path else ("", path)
        start = f"{folder}/" if folder else ""
        if name == MANIFEST and start + SUCCESS in paths:
            manifest = json.loads(tables.read(path) or b"{}")
            finished.append((manifest["completionTime"], f"{start}_featx/{manifest['uid']}/{SHARD_LIST}"))
    known: dict[str, str] = {}
    for _, path in sorted(finished):
        data = tables.read(path)
        shards = from_bytes(data) if data is not None else None
        if isinstance(shards, ListedShards | PackedShards) and shards.base == base:
            known.update((each.key, each.version) for each in shards.files())
    LOG.info("%d objects are in %d earlier tables", len(known), len(finished))
    return known


def changed(objects: Iterable[Listed], known: dict[str, str]) -> Iterator[Listed]:
    """Yields the objects that earlier tables don't have, or had in another version."""
    return (each for each in objects if not each.version or known.get(each.key) != each.version)
