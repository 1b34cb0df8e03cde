"""Groups of near-duplicates: connected components of the pairs under a threshold.

Equal rows are joined first, so a thousand copies of one image don't make a million pairs. Features: exact, every row
against every row (O(n^2)). Bits: exact too; a pair that differs in at most t bits agrees in one of t + 1 bands
(pigeonhole), so few pairs are compared while a band has 16 bits or more. The column compared is held in memory.
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
    """An image of a group, with its distance from the representative (which is the first, at 0)."""

    key: str
    distance: float


def groups(table: Table, by: By, threshold: float) -> list[list[Member]]:
    """Returns groups of two images or more: representative first (largest area, then key), others by distance.

    Args:
        table: With the column compared; without areas the key alone decides.
        by: The column.
        threshold: Largest cosine distance, or largest number of differing bits, of a pair.
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
    found = []
    for rows in members.values():
        rows.sort(key=lambda row: (-int(areas[row]), table.keys[row]))
        from_first = distances(values[rows[:1]], values[rows], by)[0]
        nearest: dict[str, float] = {table.keys[rows[0]]: 0.0}
        for row, distance in zip(rows, from_first, strict=True):
            key = table.keys[row]
            nearest[key] = min(nearest.get(key, np.inf), max(0.0, float(distance)))
        if len(nearest) > 1:
            first, *others = [Member(*each) for each in nearest.items()]
            found.append([first, *sorted(others, key=lambda each: (each.distance, each.key))])
    return sorted(found, key=lambda group: group[0].key)


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
        bounds, _, found = index.range_search(rows[start : start + QUERIES], limit)
        lefts = np.repeat(np.arange(len(bounds) - 1) + start, np.diff(bounds.astype(np.int64)))
        keep = found > lefts
        yield from zip(lefts[keep].tolist(), found[keep].tolist(), strict=True)


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
