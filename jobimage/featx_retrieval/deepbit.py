"""Fits a DeepBit-style hash layer to a catalogue's own features, without labels.

DeepBit (Lin, Lu, Chen and Zhou, CVPR 2016) trains a layer x = W f + b with three losses: cutting x to bits loses
little, each bit is set in half of the images, and a rotated image keeps its bits. The published code's gradients of
the first two cancel (both bottoms are one blob, one gets +r and the other -r), so they are not used. With bits B of -1
and 1, outputs X of the original images and X_k of the same images rotated, and N images:

    quantisation  |B - X|^2 / N
    evenness      |mean_n b_n|^2
    rotation      sum_k w_k |B - X_k|^2 / N: draws rotated images to the bits of the original

Unconstrained, these make all bits the same one, so W is a rotation of the principal axes, as in ITQ (Gong and Lazebnik
2011), which is what this is without rotated images. Each part then has its minimum in closed form, and they alternate:
for given W the bits sign(X + sum_k w_k X_k), for given bits the rotation of Procrustes. Neither step can increase the
sum. The bias comes last: each unit's median, which makes evenness 0. Gradient descent on the same losses without that
constraint lost to PCA-ITQ by .02 to .04 of class mAP (docs/bench/deepbit.md has the results of this one).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Features = NDArray[np.float32] | Floats
ANGLES = (-10, -5, 5, 10)  # degrees; the original image comes before these
ANGLE_WEIGHTS = tuple(float(np.exp(-((angle / 5) ** 2) / 2)) for angle in ANGLES)
ROUNDS = 50


class Hash(NamedTuple):
    """A linear hash: bit k of a feature f is set where (weight @ f + bias)[k] > 0. Weight (bits, d), bias (bits,)."""

    weight: Floats
    bias: Floats

    def bits(self, features: Features) -> NDArray[np.bool_]:
        """The bits (n, bits) of features (n, d)."""
        values: NDArray[np.bool_] = np.asarray(features, np.float64) @ self.weight.T + self.bias > 0
        return values


class TooManyBits(ValueError):
    """A hash was to have more bits than the features span directions."""


def fit(features: Features, bits: int, rotated: Sequence[Features] = (), seed: int = 0) -> Hash:
    """Fits the layer; its outputs above 0 are the bits.

    Args:
        features: (n, d), of the original images.
        bits: Number of bits.
        rotated: (n, d) for each of `ANGLES`: the same images, rotated. Without them this is PCA-ITQ with medians.
        seed: Seed of the initial rotation.

    Raises:
        TooManyBits: The features span fewer directions than bits.
    """
    mean, axes = principal_axes(features, bits)
    inputs = [(np.asarray(view, np.float64) - mean) @ axes for view in (features, *rotated)]
    scale = inputs[0].std()  # outputs are about -1 and 1, as bits are; the rotation does not depend on the scale
    inputs = [view / scale for view in inputs]
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(bits, bits)))
    for _ in range(ROUNDS):
        rotation = nearest_rotation(inputs, nearest_bits([view @ rotation for view in inputs]))
    weight = (axes @ rotation).T / scale
    return Hash(weight, -np.median(np.asarray(features, np.float64) @ weight.T, axis=0))


def principal_axes(features: Features, count: int) -> tuple[Floats, Floats]:
    """The mean (d,) and the first axes (d, count), strongest first.

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


def nearest_bits(outputs: Sequence[Floats]) -> Floats:
    """The bits, -1 and 1, that minimise quantisation and rotation.

    Args:
        outputs: (n, bits) of the original images, then of those rotated by each of `ANGLES`, which may be left out.
    """
    return np.where(sum(weight * view for weight, view in _weighted(outputs)) > 0, 1.0, -1.0)


def nearest_rotation(inputs: Sequence[Floats], bits: Floats) -> Floats:
    """The rotation of inputs (n, bits) that minimises both losses for these bits (orthogonal Procrustes)."""
    moment = sum((weight * bits.T @ view for weight, view in _weighted(inputs)), np.zeros((bits.shape[1],) * 2))
    left, _, right = np.linalg.svd(moment)
    rotation: Floats = (left @ right).T
    return rotation


def _weighted(views: Sequence[Floats]) -> list[tuple[float, Floats]]:
    return list(zip((1.0, *ANGLE_WEIGHTS), views, strict=False))
