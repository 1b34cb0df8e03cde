"""The hash layer: its updates minimise its loss, and its bits have the intended properties."""

from __future__ import annotations

import numpy as np
import pytest
from featx_job.nets.caffe import caffe_reader
from featx_job.nets.errors import ModelError
from featx_job.nets.onnx import onnx_reader
from featx_retrieval import hash_layer
from featx_retrieval.deepbit import (
    ANGLE_WEIGHTS,
    ANGLES,
    Floats,
    Hash,
    TooManyBits,
    fit,
    nearest_bits,
    nearest_rotation,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.bench.baselines import pca_itq
from tests.bench.ranking import average_precisions, cosine_distances, hamming_distances
from tests.support.tiny_models import EXTRACTOR_LAYER, EXTRACTOR_UNITS, tiny_extractor

views = st.integers(0, len(ANGLES))


def outputs(random: np.random.Generator, views: int, count: int = 12, bits: int = 4) -> list[Floats]:
    return [random.normal(size=(count, bits)) for _ in range(1 + views)]


def loss(outputs: list[Floats], bits: Floats) -> float:
    """The sum of quantisation and rotation loss."""
    weighted = zip((1.0, *ANGLE_WEIGHTS), outputs, strict=False)
    return float(sum(weight * ((bits - view) ** 2).sum() for weight, view in weighted) / len(bits))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), views)
def test_no_other_bits_have_a_smaller_loss(seed: int, views: int) -> None:
    random = np.random.default_rng(seed)
    given_ = outputs(random, views)
    best = nearest_bits(given_)
    for place in np.ndindex(best.shape):
        other = best.copy()
        other[place] *= -1
        assert loss(given_, other) >= loss(given_, best) - 1e-12


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), views)
def test_the_loss_is_flat_and_minimal_at_the_rotation(seed: int, views: int) -> None:
    random = np.random.default_rng(seed)
    inputs = outputs(random, views)
    bits = nearest_bits(inputs)
    best = nearest_rotation(inputs, bits)
    np.testing.assert_allclose(best.T @ best, np.eye(4), atol=1e-9)

    def loss_after(rotation: Floats) -> float:
        return loss([view @ rotation for view in inputs], bits)

    for _ in range(5):
        skew = random.normal(size=(4, 4))
        skew -= skew.T
        step = 1e-4
        forward, backward = (loss_after(best @ _turn(sign * step * skew)) for sign in (1, -1))
        assert (forward - backward) / (2 * step) == pytest.approx(0, abs=1e-6 * max(1, loss_after(best)))
        assert min(forward, backward) >= loss_after(best) - 1e-12
        assert loss_after(best @ _turn(0.5 * skew)) >= loss_after(best) - 1e-9


def _turn(skew: Floats) -> Floats:
    """The rotation given by a skew-symmetric matrix (Cayley)."""
    one = np.eye(len(skew))
    turn: Floats = np.linalg.solve(one + skew / 2, one - skew / 2)
    return turn


def clustered(count: int = 300, size: int = 40) -> tuple[Floats, NDArray[np.int64]]:
    random = np.random.default_rng(3)
    labels = np.arange(count) % 6
    features: Floats = random.normal(size=(6, size))[labels] * 1.5 + random.normal(size=(count, size))
    return features, labels


def test_each_bit_is_set_in_half_of_the_images() -> None:
    features, _ = clustered()
    np.testing.assert_allclose(fit(features, 16).bits(features).mean(axis=0), 0.5, atol=0.01)


def test_no_two_bits_are_equal() -> None:
    features, _ = clustered()
    weight = fit(features, 16).weight
    gram = weight @ weight.T
    np.testing.assert_allclose(gram, np.eye(16) * gram[0, 0], atol=1e-9 * gram[0, 0])


def test_without_rotated_images_it_is_itq() -> None:
    features, _ = clustered()
    weight, itq_weight = fit(features, 16).weight, pca_itq(features, 16).weight
    np.testing.assert_allclose(weight / np.linalg.norm(weight), itq_weight / np.linalg.norm(itq_weight), atol=1e-6)


def test_rotated_images_keep_more_bits_if_the_layer_was_fitted_with_them() -> None:
    features, _ = clustered()
    random = np.random.default_rng(4)
    nuisance = random.normal(size=(3, features.shape[1])) * 2  # the directions in which rotation moves features
    rotated = [features + angle / 10 * random.normal(size=(len(features), 3)) @ nuisance for angle in ANGLES]

    def stability(layer: Hash) -> float:
        return float(np.mean([(layer.bits(features) == layer.bits(view)).mean() for view in rotated]))

    assert stability(fit(features, 16, rotated)) > stability(fit(features, 16)) + 0.01


def test_requesting_more_bits_than_directions_is_refused() -> None:
    with pytest.raises(TooManyBits, match="32 bits, but 20 images with features of 40 span 19 directions"):
        pca_itq(np.random.default_rng(0).normal(size=(20, 40)), 32)


def test_a_model_with_the_layer_computes_feature_and_bits() -> None:
    net = tiny_extractor()
    random = np.random.default_rng(5)
    layer = Hash(random.normal(size=(16, EXTRACTOR_UNITS)), random.normal(size=16))
    network = caffe_reader.read(net.prototxt(), net.caffemodel())
    read = onnx_reader.read(hash_layer.append(network, EXTRACTOR_LAYER, layer))
    assert {EXTRACTOR_LAYER, "deepbit"} <= set(read.by_name())
    added = read.by_name()["deepbit"]
    assert added.shape == (16,)
    np.testing.assert_array_equal(added.operation.weight, layer.weight.astype(np.float32))  # type: ignore[union-attr]
    with pytest.raises(ModelError, match="already"):
        hash_layer.append(read, EXTRACTOR_LAYER, layer)
    with pytest.raises(ModelError, match=r"pool has .* numbers, but the hash was fitted to 5"):
        hash_layer.append(network, EXTRACTOR_LAYER, Hash(np.zeros((16, 5)), np.zeros(16)))
    with pytest.raises(ModelError, match="no layer 'pol'"):
        hash_layer.append(network, "pol", layer)


def test_average_precision_matches_a_hand_count() -> None:
    positions = np.array([0.0, 1.0, 2.0, 4.0])
    distances = np.abs(positions[:, None] - positions[None])
    labels = np.array([0, 1, 0, 1])
    # From 0: 1 (no), 2 (yes, 1/2), 4 (no).
    assert average_precisions(distances, labels)[0] == pytest.approx(0.5)
    assert average_precisions(distances, labels, first=1)[0] == 0.0


def test_the_distance_of_a_row_to_itself_is_zero() -> None:
    features, _ = clustered(20)
    assert np.abs(np.diag(cosine_distances(features))).max() < 1e-12
    assert np.diag(hamming_distances(features > 0)).max() == 0
