"""Finds the rows nearest to one row in two streaming passes, so that memory is one batch whatever the table's size."""

from __future__ import annotations

import difflib
import heapq
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from featx_retrieval.table import Table, TableError, batches

By = Literal["feature", "bits"]


class Match(NamedTuple):
    """A similar image, with its cosine distance (0 to 2) by feature or its Hamming distance by bits."""

    distance: float
    key: str


def similar(uri: str, key: str, count: int, by: By, endpoint: str | None = None) -> list[Match]:
    """The images nearest to a given one, nearest first, ties by key. An image of several rows counts with its nearest.

    Raises:
        TableError: The table can't be used, or does not have the key; the message then names similar keys.
    """
    columns = ["key", by]
    close: list[str] = []
    queries = []
    for batch in batches(uri, columns, endpoint):
        places = [place for place, name in enumerate(batch.keys) if name == key]
        if places:
            queries.append(_values(batch, by)[places])
        elif not queries:
            close = difflib.get_close_matches(key, close + batch.keys[:5000], n=3, cutoff=0.5)
    if not queries:
        hint = f"; similar keys: {', '.join(close)}" if close else ""
        raise TableError(f"{uri}: no row has the key {key!r}{hint}")
    query, best = np.concatenate(queries), dict[str, float]()
    for batch in batches(uri, columns, endpoint):
        nearest = distances(query, _values(batch, by), by).min(axis=0)
        for place in np.argsort(nearest, kind="stable"):
            name, distance = batch.keys[place], float(nearest[place])
            if len(best) >= count and distance > max(best.values()):
                break
            if name != key and distance < best.get(name, np.inf):
                best[name] = distance
                if len(best) > count:
                    del best[max(best, key=lambda name: (best[name], name))]
    return heapq.nsmallest(count, (Match(distance, name) for name, distance in best.items()))


def distances(left: npt.NDArray[Any], right: npt.NDArray[Any], by: By) -> npt.NDArray[np.float32]:
    """The (n, m) cosine distances of float32 rows, or Hamming distances of packed uint8 rows."""
    if by == "feature":
        cosine: npt.NDArray[np.float32] = normalised(left) @ normalised(right).T
        return np.maximum(1 - cosine, np.float32(0))  # equal rows differ by rounding
    ones = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1)
    differing: npt.NDArray[np.float32] = np.stack([ones[row ^ right].sum(axis=1) for row in left]).astype(np.float32)
    return differing


def normalised(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The rows scaled to length 1; rows of zeros stay zeros."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), np.float32)


def _values(batch: Table, by: By) -> npt.NDArray[Any]:
    values = batch.features if by == "feature" else batch.bits
    assert values is not None
    return values
