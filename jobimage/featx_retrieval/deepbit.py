"""Fits a DeepBit-style hash layer to a catalogue's own features, without labels.

DeepBit (Lin, Lu, Chen and Zhou, CVPR 2016) trains a layer x = W f + b with three losses: little is lost when x is cut
to bits, each bit is set in half of the images, and a turned image keeps its bits. The published code's gradients
of the first two cancel (both bottoms are one blob, one gets +r and the other -r), so they are not used. With bits B of
-1 and 1, outputs X of the images as they are and X_k of the same turned, N images:

    quantisation  |B - X|^2 / N
    evenness      |mean_n b_n|^2
    rotation      sum_k w_k |B - X_k|^2 / N: turned images are drawn to the bits of the image as it is

Left alone, these make all bits the same one, so W is a rotation of the principal axes, as in ITQ (Gong and Lazebnik
2011), which this is without turned images. Then each part has its least in closed form, and is taken in turn: for
given W the bits sign(X + sum_k w_k X_k), for given bits the rotation of Procrustes, and neither step makes the sum
larger; at the end the bias that makes evenness 0, each unit's median. Gradient descent on the same losses without that
constraint lost to PCA-ITQ by .02 to .04 of class mAP (docs/bench/deepbit.md has what this one comes to).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from featx_retrieval.baselines import Floats, Hash, principal_axes

Features = NDArray[np.float32] | Floats
ANGLES = (-10, -5, 5, 10)  # degrees; an image as it is comes first
ANGLE_WEIGHTS = tuple(float(np.exp(-((angle / 5) ** 2) / 2)) for angle in ANGLES)
ROUNDS = 50


def loss(outputs: Sequence[Floats], bits: Floats) -> float:
    """Returns quantisation and rotation together.

    Args:
        outputs: (n, bits) of the images as they are, then of the same turned by each of `ANGLES`, or without those.
        bits: (n, bits) of -1 and 1.
    """
    return float(sum(weight * ((bits - each) ** 2).sum() for weight, each in _weighed(outputs)) / len(bits))


def nearest_bits(outputs: Sequence[Floats]) -> Floats:
    """Returns the bits, -1 and 1, at which `loss` is least for these outputs."""
    return np.where(sum(weight * each for weight, each in _weighed(outputs)) > 0, 1.0, -1.0)


def nearest_rotation(inputs: Sequence[Floats], bits: Floats) -> Floats:
    """Returns the rotation of inputs (n, bits) at which `loss` is least for these bits (orthogonal Procrustes)."""
    moment = sum((weight * bits.T @ each for weight, each in _weighed(inputs)), np.zeros((bits.shape[1],) * 2))
    left, _, right = np.linalg.svd(moment)
    rotation: Floats = (left @ right).T
    return rotation


def fit(features: Features, bits: int, turned: Sequence[Features] = (), seed: int = 0) -> Hash:
    """Returns the layer whose outputs above 0 are the bits.

    Args:
        features: (n, d), of the images as they are.
        bits: How many.
        turned: (n, d) for each of `ANGLES`: the same images turned; without them this is PCA-ITQ with medians.
        seed: Of the rotation that is begun with.

    Raises:
        TooManyBits: The features span fewer directions than bits.
    """
    mean, axes = principal_axes(features, bits)
    inputs = [(np.asarray(each, np.float64) - mean) @ axes for each in (features, *turned)]
    scale = inputs[0].std()  # outputs are about -1 and 1, as bits are; the rotation is the same whatever the scale
    inputs = [each / scale for each in inputs]
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(bits, bits)))
    for _ in range(ROUNDS):
        rotation = nearest_rotation(inputs, nearest_bits([each @ rotation for each in inputs]))
    weight = (axes @ rotation).T / scale
    return Hash(weight, -np.median(np.asarray(features, np.float64) @ weight.T, axis=0))


def _weighed(views: Sequence[Floats]) -> list[tuple[float, Floats]]:
    return list(zip((1.0, *ANGLE_WEIGHTS), views, strict=False))
