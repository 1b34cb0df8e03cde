"""The hash layer: its gradients are those of its losses, and what it is made for holds."""

from __future__ import annotations

import numpy as np
import pytest
from featx_job.nets import caffe, onnx_reader
from featx_job.nets.errors import ModelError
from featx_retrieval.baselines import Floats, Hash, TooManyBits, pca_itq
from featx_retrieval.deepbit import ANGLES, Weights, fit, gradients, losses
from featx_retrieval.hash_layer import appended
from featx_retrieval.ranking import average_precisions, cosine_distances, hamming_distances
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.tiny_models import EXTRACTOR_LAYER, EXTRACTOR_UNITS, tiny_extractor


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(1, 4), st.integers(0, 4), st.integers(0, 3))
def test_each_loss_has_the_slope_that_its_values_have(seed: int, count: int, bits: int, views: int, which: int) -> None:
    random = np.random.default_rng(seed)
    arrays = [random.normal(0.5, 0.5, (count, bits)) for _ in range(1 + views)]
    cut = (arrays[0] > 0.5).astype(float)
    weights = Weights(*(float(index == which) for index in range(4)))
    along, along_turned = gradients(arrays[0], arrays[1:], cut, weights)
    for array, slope in zip(arrays, [along, *along_turned], strict=True):
        for place in np.ndindex(array.shape):
            step, kept = 1e-5, array[place]
            array[place] = kept + step
            above = losses(arrays[0], arrays[1:], cut, weights)
            array[place] = kept - step
            below = losses(arrays[0], arrays[1:], cut, weights)
            array[place] = kept
            assert slope[place] == pytest.approx((above - below) / (2 * step), rel=1e-5, abs=1e-7)


def clustered(count: int = 300, size: int = 40) -> tuple[Floats, NDArray[np.int64]]:
    random = np.random.default_rng(3)
    labels = np.arange(count) % 6
    features: Floats = random.normal(size=(6, size))[labels] * 1.5 + random.normal(size=(count, size))
    return features, labels


def test_each_bit_is_set_in_half_of_the_pictures() -> None:
    features, _ = clustered()
    np.testing.assert_allclose(fit(features, 16).bits(features).mean(axis=0), 0.5, atol=0.01)


def test_bits_differ_more_the_more_their_independence_counts() -> None:
    features, _ = clustered()

    def alike(independence: float) -> float:
        bits = fit(features, 16, weights=Weights(independence=independence)).bits(features)
        return float(np.abs(np.corrcoef(bits.T) - np.eye(16)).mean())

    assert alike(1.0) < 0.8 * alike(0.0)


def test_turned_pictures_keep_more_bits_when_the_layer_was_fitted_with_them() -> None:
    features, _ = clustered()
    random = np.random.default_rng(4)
    nuisance = random.normal(size=(3, features.shape[1])) * 2  # the directions that turning moves features along
    turned = [features + angle / 10 * random.normal(size=(len(features), 3)) @ nuisance for angle in ANGLES]

    def kept(layer: Hash) -> float:
        return float(np.mean([(layer.bits(features) == layer.bits(each)).mean() for each in turned]))

    assert kept(fit(features, 16, turned)) > kept(fit(features, 16)) + 0.01


def test_more_bits_than_directions_are_refused() -> None:
    with pytest.raises(TooManyBits, match="32 bits, but 20 pictures with features of 40 span 19 directions"):
        pca_itq(np.random.default_rng(0).normal(size=(20, 40)), 32)


def test_a_model_with_the_layer_computes_feature_and_bits() -> None:
    net = tiny_extractor()
    random = np.random.default_rng(5)
    layer = Hash(random.normal(size=(16, EXTRACTOR_UNITS)), random.normal(size=16))
    network = caffe.read(net.prototxt(), net.caffemodel())
    read = onnx_reader.read(appended(network, EXTRACTOR_LAYER, layer))
    assert {EXTRACTOR_LAYER, "deepbit"} <= set(read.by_name())
    made = read.by_name()["deepbit"]
    assert made.shape == (16,)
    np.testing.assert_array_equal(made.operation.weight, layer.weight.astype(np.float32))  # type: ignore[union-attr]
    with pytest.raises(ModelError, match="already"):
        appended(read, EXTRACTOR_LAYER, layer)
    with pytest.raises(ModelError, match=r"pool has .* numbers, but the hash was fitted to 5"):
        appended(network, EXTRACTOR_LAYER, Hash(np.zeros((16, 5)), np.zeros(16)))
    with pytest.raises(ModelError, match="no layer 'pol'"):
        appended(network, "pol", layer)


def test_average_precision_is_what_one_counts_by_hand() -> None:
    positions = np.array([0.0, 1.0, 2.0, 4.0])
    distances = np.abs(positions[:, None] - positions[None])
    labels = np.array([0, 1, 0, 1])
    # From 0: 1 (no), 2 (yes, 1/2), 4 (no).
    assert average_precisions(distances, labels)[0] == pytest.approx(0.5)
    assert average_precisions(distances, labels, first=1)[0] == 0.0


def test_distances_of_a_row_to_itself_are_zero() -> None:
    features, _ = clustered(20)
    assert np.abs(np.diag(cosine_distances(features))).max() < 1e-12
    assert np.diag(hamming_distances(features > 0)).max() == 0
