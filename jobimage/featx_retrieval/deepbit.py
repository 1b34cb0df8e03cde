"""Fits a DeepBit-style hash layer to a catalogue's own features, without labels.

DeepBit (Lin, Lu, Chen and Zhou, CVPR 2016) trains a layer x = W f + b with three losses: few bits are lost when x is
cut to 0 or 1, each bit is set in half of the pictures, and a turned picture keeps its bits. The published code's
gradients of the first two cancel (both bottoms are one blob, one gets +r and the other -r), so they are derived here
anew. With b = (x > 1/2) held fixed, as a cut has no slope, and N pictures:

    quantisation  sum (b - x)^2 / 2N                   d/dx = (x - b) / N
    evenness      sum_j (mean_n x_nj - 1/2)^2 / 2      d/dx = (mean_n x - 1/2) / N
    rotation      sum_k w_k sum_n |x_nk - x_n|^2 / 2N  d/dx_nk = w_k (x_nk - x_n) / N, d/dx_n = minus their sum

The paper's evenness counts the cut bits, which has no slope either; the mean of x, which quantisation draws to the
bits, stands for it. Nothing in the three keeps two bits from being the same one, so a fourth is added:

    independence  |4 C - 1|^2 / 4, C the covariance of x   d/dx = 4 (x - mean x) (4 C - 1) / N

(1/4 is the variance of a bit that is set half of the time.) The layer starts from PCA-ITQ and moves within the
principal axes. Each bit has its own threshold, its median, folded into the bias; DeepBit's is one number for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from featx_retrieval.baselines import Floats, Hash, pca_itq

Features = NDArray[np.float32] | Floats
ANGLES = (-10, -5, 5, 10)  # degrees; a picture as it is comes first
ANGLE_WEIGHTS = tuple(float(np.exp(-((angle / 5) ** 2) / 2)) for angle in ANGLES)


class Weights(NamedTuple):
    """How much each loss counts; of those tried on the catalogue's photos, these lose least to PCA-ITQ."""

    quantisation: float = 1.0
    evenness: float = 1.0
    rotation: float = 4.0
    independence: float = 0.01


def losses(values: Floats, turned: Sequence[Floats], bits: Floats, weights: Weights) -> float:
    """Returns the sum of all losses.

    Args:
        values: x, (n, bits).
        turned: The same of turned pictures, one array for each of `ANGLES`, or none.
        bits: What x is drawn to, (n, bits) of 0 and 1.
        weights: How much each loss counts.
    """
    count = len(values)
    centred = values - values.mean(axis=0)
    excess = 4 * centred.T @ centred / count - np.eye(values.shape[1])
    rotation = sum(
        weight * ((each - values) ** 2).sum() for weight, each in zip(ANGLE_WEIGHTS[: len(turned)], turned, strict=True)
    )
    return float(
        weights.quantisation * ((bits - values) ** 2).sum() / (2 * count)
        + weights.evenness * ((values.mean(axis=0) - 0.5) ** 2).sum() / 2
        + weights.rotation * rotation / (2 * count)
        + weights.independence * (excess**2).sum() / 4
    )


def gradients(values: Floats, turned: Sequence[Floats], bits: Floats, weights: Weights) -> tuple[Floats, list[Floats]]:
    """Returns the slope of `losses` along `values` and along each of `turned`; `bits` are held fixed."""
    count = len(values)
    centred = values - values.mean(axis=0)
    excess = 4 * centred.T @ centred / count - np.eye(values.shape[1])
    along_turned = [
        weights.rotation * weight * (each - values) / count
        for weight, each in zip(ANGLE_WEIGHTS[: len(turned)], turned, strict=True)
    ]
    along = (
        weights.quantisation * (values - bits) / count
        + weights.evenness * (values.mean(axis=0) - 0.5) / count
        + weights.independence * 4 * centred @ excess / count
    )
    for each in along_turned:
        along = along - each
    return along, along_turned


def fit(
    features: Features,
    bits: int,
    turned: Sequence[Features] = (),
    weights: Weights = Weights(),  # noqa: B008 - it never changes
    steps: int = 300,
) -> Hash:
    """Returns the layer whose outputs above 0 are the bits.

    Args:
        features: (n, d), of the pictures as they are.
        bits: How many.
        turned: (n, d) for each of `ANGLES`: the same pictures turned; without them the third loss plays no part.
        weights: How much each loss counts.
        steps: Steps of Adam (Kingma and Ba, 2015) over all pictures.

    Raises:
        TooManyBits: The features span fewer directions than bits.
    """
    start = pca_itq(features, bits)
    axes, _ = np.linalg.qr(start.weight.T)  # (d, bits), the span of the principal axes
    mean = np.asarray(features, np.float64).mean(axis=0)
    inputs = [(np.asarray(each, np.float64) - mean) @ axes for each in (features, *turned)]
    # A bit that is set half of the time has a standard deviation of 1/2.
    deviation = np.maximum((inputs[0] @ (axes.T @ start.weight.T)).std(axis=0), 1e-12)
    weight, bias = axes.T @ start.weight.T / (2 * deviation), np.full(bits, 0.5)
    moments = [np.zeros_like(weight), np.zeros_like(weight), np.zeros_like(bias), np.zeros_like(bias)]
    for step in range(1, steps + 1):
        outputs = [each @ weight + bias for each in inputs]
        cut = (outputs[0] > 0.5).astype(np.float64)
        along = _flat(gradients(outputs[0], outputs[1:], cut, weights))
        slope = sum((each.T @ part for each, part in zip(inputs, along, strict=True)), np.zeros_like(weight))
        slope_of_bias = sum((part.sum(axis=0) for part in along), np.zeros_like(bias))
        weight = weight - _adam(slope, moments[0], moments[1], step) * np.abs(weight).mean()
        bias = bias - _adam(slope_of_bias, moments[2], moments[3], step) * 0.5
    medians = np.median(inputs[0] @ weight, axis=0)
    layer = (axes @ weight).T
    return Hash(layer, -medians - layer @ mean)


def one_threshold(features: Features, layer: Hash) -> Hash:
    """Returns the layer with DeepBit's threshold: one number for all bits, the mean of all values (its mean_th)."""
    values = np.asarray(features, np.float64) @ layer.weight.T
    return Hash(layer.weight, np.full(len(layer.bias), -float(values.mean())))


def _flat(parts: tuple[Floats, list[Floats]]) -> list[Floats]:
    return [parts[0], *parts[1]]


def _adam(slope: Floats, first: Floats, second: Floats, step: int, rate: float = 0.02) -> Floats:
    first += 0.1 * (slope - first)
    second += 0.001 * (slope**2 - second)
    moved: Floats = rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-12)
    return moved
