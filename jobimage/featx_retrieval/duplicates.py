"""Groups of near-duplicates: the connected components of all pairs under a threshold.

Equal rows are joined first, so that a thousand copies of one image don't make a million pairs. Features are compared
exactly, each row with each row (O(n^2)). Bits are compared exactly too: a pair that differs in at most t bits agrees in
one of t + 1 bands (pigeonhole), so few pairs are compared while a band has 16 bits or more. The compared column is held
in memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import faiss
import numpy as np
import numpy.typing as npt

from featx_retrieval.search import By, distances, normalised
from featx_retrieval.table import Table

QUERIES = 4096
BAND = range(16, 33)


class Member(NamedTuple):
    """An image of a group, with its distance to the representative, which comes first, at 0."""

    key: str
    distance: float


def groups(table: Table, by: By, threshold: float) -> list[list[Member]]:
    """Groups of two or more images: the representative first (largest area, then key), the others by distance.

    Args:
        table: With the compared column. Without areas, the key alone chooses the representative.
        by: The compared column.
        threshold: The largest cosine distance, or number of differing bits, of a pair.
    """
    values: Any = table.features if by == "feature" else table.bits
    unique, inverse = _unique(normalised(values) if by == "feature" else values)
    parent = list(range(len(unique)))
    for left, right in _pairs(unique, by, threshold):
        _join(parent, left, right)
    members = defaultdict[int, list[int]](list)
    for row, place in enumerate(inverse):
        members[_root(parent, int(place))].append(row)
    areas = table.areas if table.areas is not None else np.zeros(len(table.keys), np.int64)
    candidates = (_group(table.keys, areas, values, rows, by) for rows in members.values() if len(rows) > 1)
    return sorted((group for group in candidates if len(group) > 1), key=lambda group: group[0].key)


def _group(
    keys: list[str], areas: npt.NDArray[np.int64], values: npt.NDArray[Any], rows: list[int], by: By
) -> list[Member]:
    """The images of some rows; an image of several rows counts with its nearest."""
    rows = sorted(rows, key=lambda row: (-int(areas[row]), keys[row]))
    nearest: dict[str, float] = {keys[rows[0]]: 0.0}
    for row, distance in zip(rows, distances(values[rows[:1]], values[rows], by)[0], strict=True):
        key = keys[row]
        nearest[key] = min(nearest.get(key, np.inf), max(0.0, float(distance)))
    first, *others = [Member(key, distance) for key, distance in nearest.items()]
    return [first, *sorted(others, key=lambda member: (member.distance, member.key))]


def _unique(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    rows = np.ascontiguousarray(values)
    whole = rows.view(np.dtype((np.void, rows.shape[1] * rows.itemsize))).ravel()
    _, first, inverse = np.unique(whole, return_index=True, return_inverse=True)
    return rows[first], inverse


def _pairs(rows: npt.NDArray[Any], by: By, threshold: float) -> Iterator[tuple[int, int]]:
    if by == "feature":
        index, limit = faiss.IndexFlatIP(rows.shape[1]), 1 - threshold - 1e-6  # >, and float32's own error
    else:
        index, limit = _binary(rows.shape[1] * 8, int(threshold)), int(threshold) + 1  # faiss takes <
    index.add(rows)
    for start in range(0, len(rows), QUERIES):
        bounds, _, rights = index.range_search(rows[start : start + QUERIES], limit)
        lefts = np.repeat(np.arange(len(bounds) - 1) + start, np.diff(bounds.astype(np.int64)))
        once = rights > lefts
        yield from zip(lefts[once].tolist(), rights[once].tolist(), strict=True)


def _binary(bits: int, threshold: int) -> Any:
    band = min(bits // (threshold + 1), BAND[-1])
    return faiss.IndexBinaryMultiHash(bits, threshold + 1, band) if band in BAND else faiss.IndexBinaryFlat(bits)


def _root(parent: list[int], place: int) -> int:
    while parent[place] != place:
        parent[place] = parent[parent[place]]
        place = parent[place]
    return place


def _join(parent: list[int], left: int, right: int) -> None:
    left, right = sorted((_root(parent, left), _root(parent, right)))
    parent[right] = left
