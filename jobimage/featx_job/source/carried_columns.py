"""Checks before a run that the columns of `spec.source.packed.carry` exist: a typo would be a column of nulls.

A column may be in some files only, so a run is refused if none has it. Parquet files and zips have a directory of
their columns, so all of them are checked; tar archives and TFRecords are read from the start, so only the first members
of some files are.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from featx_api.failures import FailureClass
from featx_api.source import Packed
from featx_api.text import shortened

from featx_job.failures import RunFailure
from featx_job.source.objects import SourceObject
from featx_job.source.packed_files import PackedShards, packed_format

FIELD = "spec.source.packed.carry"
WITH_DIRECTORY = {"parquet", "delta", "zip"}
MOST_FILES = 100  # of those without a directory
MOST_MEMBERS, MOST_BYTES = 100_000, 1 << 30  # of these, in total
FILES_AT_ONCE, THREADS = 16, 16
SHOWN, LONGEST = 20, 64

#: Returns the columns of a shard's files as JSON, given its line and the most members and bytes of a file to read; null
#: if none of the files can be opened (dev.featx.source.PackedFiles).
Columns = Callable[[str, int, int], str | None]


def check(packed: Packed, shards: PackedShards, columns: Columns) -> None:
    """Refuse a run that carries a column which no file has.

    Args:
        packed: The spec's.
        shards: All files of the run.
        columns: Reads the columns of some of them. Threads call it.

    Raises:
        RunFailure: SourceNotSupported, with the columns that are there.
    """
    files = list(shards.files())
    if not packed.carry or not files:
        return
    some = _spread([file for file in files if not _has_directory(file, packed)], MOST_FILES)
    limits = MOST_MEMBERS // max(1, len(some)), MOST_BYTES // max(1, len(some))
    found: set[str] = set()
    readable = False
    with ThreadPoolExecutor(THREADS) as pool:
        for group in _groups(files, some, packed):
            for names in pool.map(lambda line: columns(line, *limits), map(shards.line_of, group)):
                readable = readable or names is not None
                found.update(json.loads(names or "[]"))
            if found.issuperset(packed.carry):
                return
    if readable:
        raise _failure([name for name in packed.carry if name not in found], found, packed, sampled=bool(some))


def _groups(
    files: Sequence[SourceObject], some: Sequence[SourceObject], packed: Packed
) -> Iterator[list[list[SourceObject]]]:
    """Yield lists of files, in groups that are read at once: first one file, which is enough if all are alike."""
    yield [[files[0]]]
    rest = [file for file in files[1:] if _has_directory(file, packed)]
    rest += [file for file in some if file != files[0]]
    lists = [rest[start : start + FILES_AT_ONCE] for start in range(0, len(rest), FILES_AT_ONCE)]
    yield from (lists[start : start + THREADS] for start in range(0, len(lists), THREADS))


def _has_directory(file: SourceObject, packed: Packed) -> bool:
    return (packed_format(file.key) if packed.format == "auto" else packed.format) in WITH_DIRECTORY


def _spread(files: Sequence[SourceObject], most: int) -> list[SourceObject]:
    """Return so many of the files, from all over."""
    if len(files) <= most:
        return list(files)
    return [files[index * (len(files) - 1) // (most - 1)] for index in range(most)]


def _failure(missing: Sequence[str], found: set[str], packed: Packed, *, sampled: bool) -> RunFailure:
    others = sorted(found - set(packed.carry))
    by_folded = {name.casefold(): name for name in others}
    hints = []
    for name in missing:
        near = difflib.get_close_matches(name.casefold(), by_folded, n=1)
        hints.append(f"{name} (did you mean {shortened(by_folded[near[0]], LONGEST)}?)" if near else name)
    shown = ", ".join(shortened(name, LONGEST) for name in sorted(found)[:SHOWN])
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    there = f"the columns there are {shown}{more}" if found else "there are no columns"
    looked = "as far as they were read, no file has" if sampled else "no file has"
    message = f"{FIELD}: {looked} a column {', '.join(hints)}; {there}; correct the name, or remove it"
    return RunFailure(FailureClass.SOURCE_NOT_SUPPORTED, message)
