"""Mean average precision: how well a feature retrieves images of the same class.

There are two definitions: over the full ranking, and DeepBit's (analysis/precision.m of cvpr16-deepbit), which takes
the first 1,000 and divides by the number of relevant ones among them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def cosine_distances(features: NDArray[np.float32] | Floats) -> Floats:
    """1 - cosine between all rows: (n, d) to (n, n)."""
    rows = np.asarray(features, np.float64)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    distances: Floats = 1 - unit @ unit.T
    return distances


def hamming_distances(bits: NDArray[np.bool_]) -> Floats:
    """The number of differing bits between all rows: (n, b) bool to (n, n)."""
    signs = np.where(bits, 1.0, -1.0)
    distances: Floats = (bits.shape[1] - signs @ signs.T) / 2
    return distances


def average_precisions(distances: Floats, labels: NDArray[np.int64], first: int | None = None, seed: int = 0) -> Floats:
    """The average precision of each row as a query among all others (leave-one-out).

    Rows at the same distance, of which short codes have many, are ranked at random with a fixed seed: following
    the table's order would favour whatever the table is sorted by.

    Args:
        distances: (n, n).
        labels: (n,), the class of each row.
        first: Consider only this many, and divide by the relevant ones among them. None considers all.
        seed: Seed for the order of ties.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    precisions = np.zeros(len(labels))
    for row in range(len(labels)):
        others = order[order != row]
        ranked = others[np.argsort(distances[row, others], kind="stable")][:first]
        relevant = labels[ranked] == labels[row]
        precision = np.cumsum(relevant) / np.arange(1, len(ranked) + 1)
        precisions[row] = precision[relevant].mean() if relevant.any() else 0.0
    return precisions
