"""Baselines for a hash layer: random projection, and PCA with iterative quantisation."""

from __future__ import annotations

import numpy as np
from featx_retrieval.deepbit import Features, Hash, principal_axes


def random_projection(features: Features, bits: int, seed: int = 0) -> Hash:
    """Random directions through the mean (Charikar 2002)."""
    mean = np.asarray(features, np.float64).mean(axis=0)
    weight = np.random.default_rng(seed).normal(size=(bits, len(mean)))
    return Hash(weight, -weight @ mean)


def pca_itq(features: Features, bits: int, rounds: int = 50, seed: int = 0) -> Hash:
    """PCA, rotated to minimise the loss of taking signs (Gong and Lazebnik, 2011).

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
