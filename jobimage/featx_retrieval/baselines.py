"""What a hash layer has to beat: random projection, and PCA with iterative quantisation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Hash(NamedTuple):
    """A linear hash: bit k of a feature f is set where (weight @ f + bias)[k] > 0. Weight (bits, d), bias (bits,)."""

    weight: Floats
    bias: Floats

    def bits(self, features: NDArray[np.float32] | Floats) -> NDArray[np.bool_]:
        """Returns the bits of features (n, d): (n, bits)."""
        values: NDArray[np.bool_] = np.asarray(features, np.float64) @ self.weight.T + self.bias > 0
        return values


class TooManyBits(ValueError):
    """More bits are asked for than the features have directions."""


def principal_axes(features: NDArray[np.float32] | Floats, count: int) -> tuple[Floats, Floats]:
    """Returns the mean (d,) and the first axes (d, count), strongest first.

    Raises:
        TooManyBits: The features span fewer directions.
    """
    rows = np.asarray(features, np.float64)
    mean = rows.mean(axis=0)
    _, strength, axes = np.linalg.svd(rows - mean, full_matrices=False)
    rank = int((strength > 1e-9 * strength[0]).sum()) if strength.size and strength[0] > 0 else 0
    if count > rank:
        raise TooManyBits(
            f"{count} bits, but {len(rows)} images with features of {rows.shape[1]} span {rank} directions"
        )
    return mean, axes[:count].T


def random_projection(features: NDArray[np.float32] | Floats, bits: int, seed: int = 0) -> Hash:
    """Returns random directions through the mean (Charikar 2002)."""
    mean = np.asarray(features, np.float64).mean(axis=0)
    weight = np.random.default_rng(seed).normal(size=(bits, len(mean)))
    return Hash(weight, -weight @ mean)


def pca_itq(features: NDArray[np.float32] | Floats, bits: int, rounds: int = 50, seed: int = 0) -> Hash:
    """Returns PCA, turned so that the signs lose least (Gong and Lazebnik, 2011).

    Raises:
        TooManyBits: See `principal_axes`.
    """
    mean, axes = principal_axes(features, bits)
    projected = (np.asarray(features, np.float64) - mean) @ axes
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(bits, bits)))
    for _ in range(rounds):
        left, _, right = np.linalg.svd(np.where(projected @ turn > 0, 1.0, -1.0).T @ projected)
        turn = (left @ right).T
    weight = (axes @ turn).T
    return Hash(weight, -weight @ mean)
