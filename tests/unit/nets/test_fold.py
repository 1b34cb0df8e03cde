"""Folding changes no result, whatever precedes and follows a BatchNorm, a Scale or a Dropout."""

from __future__ import annotations

import numpy as np
from featx_job.nets.caffe import caffe_reader
from featx_job.nets.graph import operations
from featx_job.nets.graph.fold import fold
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from tests.support.caffe_nets import CaffeNet
from tests.unit.nets import reference

KINDS = ["Convolution", "Convolution", "BatchNorm", "BatchNorm", "Scale", "Scale", "ReLU", "Dropout", "Eltwise"]


@st.composite
def nets(draw: st.DrawFn) -> CaffeNet:
    """Nets of up to nine layers of 4 channels; each reads any blob written before, and some write in place."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    net = CaffeNet(3, 5, 6)
    blobs = [_convolution(net, random, "data", "layer0", 3)]
    for index, kind in enumerate(draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=8)), 1):
        name, bottom = f"layer{index}", draw(st.sampled_from(blobs[-3:]))
        in_place = kind not in ("Convolution", "Eltwise") and draw(st.booleans())
        top = bottom if in_place else name
        if kind == "Convolution":
            _convolution(net, random, bottom, name, 4)
        elif kind == "BatchNorm":
            weights: list[ArrayLike] = [random.normal(size=4), random.uniform(0.1, 3, 4)]
            weights.append([draw(st.sampled_from([0.0, 1.0, 7.5]))])
            net.layer(kind, name, [bottom], top, weights)
        elif kind == "Scale":
            bias = draw(st.booleans())
            weights = [random.normal(size=4) for _ in range(1 + bias)]
            net.layer(kind, name, [bottom], top, weights, scale_param={"bias_term": bias})
        elif kind == "Eltwise":
            net.layer(kind, name, [bottom, draw(st.sampled_from(blobs))])
        else:
            net.layer(kind, name, [bottom], top)
        if top not in blobs:
            blobs.append(top)
    return net


def _convolution(net: CaffeNet, random: np.random.Generator, bottom: str, name: str, inputs: int) -> str:
    given_settings = {"num_output": 4, "kernel_size": [3], "pad": [1]}
    weights = [random.normal(size=(4, inputs, 3, 3)) / 4, random.normal(size=4)]
    return net.layer("Convolution", name, [bottom], blobs=weights, convolution_param=given_settings)


@settings(max_examples=60, deadline=None)
@given(nets(), st.integers(0, 2**32 - 1))
def test_a_folded_net_computes_the_same(net: CaffeNet, seed: int) -> None:
    network = caffe_reader.read(net.prototxt(), net.caffemodel())
    folded = fold(network)
    image = np.random.default_rng(seed).normal(size=(3, 5, 6))
    for before, after in zip(reference.run(network, image), reference.run(folded, image), strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-3 * max(1.0, np.abs(before).max()))


@settings(max_examples=60, deadline=None)
@given(nets())
def test_no_affine_layer_remains_after_a_layer_that_only_it_reads(net: CaffeNet) -> None:
    folded = fold(caffe_reader.read(net.prototxt(), net.caffemodel()))
    layers, consumers = folded.by_name(), folded.consumers()
    for layer in folded.layers:
        assert not isinstance(layer.operation, operations.Identity)
        before = layers.get(layer.inputs[0])
        if isinstance(layer.operation, operations.Affine) and before and before.name not in folded.outputs:
            foldable = isinstance(before.operation, operations.Convolution | operations.Affine)
            assert not foldable or len(consumers[before.name]) > 1


def test_a_product_absorbs_the_scale_after_it() -> None:
    net = CaffeNet(3, 2, 2)
    random = np.random.default_rng(0)
    weights = [random.normal(size=(5, 12)), random.normal(size=5)]
    net.layer("InnerProduct", "fc", ["data"], blobs=weights, inner_product_param={"num_output": 5})
    net.layer("Scale", "scale", ["fc"], "fc", [random.normal(size=5)])
    network = caffe_reader.read(net.prototxt(), net.caffemodel())
    folded = fold(network)
    assert [type(layer.operation) for layer in folded.layers] == [operations.FullyConnected]
    image = random.normal(size=(3, 2, 2))
    np.testing.assert_allclose(reference.run(folded, image)[0], reference.run(network, image)[0], rtol=1e-5)


def test_a_convolution_that_is_an_output_is_not_folded() -> None:
    net = CaffeNet(3, 5, 6)
    random = np.random.default_rng(0)
    _convolution(net, random, "data", "conv", 3)
    net.layer("Scale", "scale", ["conv"], "conv", [random.normal(size=4)])
    whole = caffe_reader.read(net.prototxt(), net.caffemodel())
    raw = fold(whole.up_to_layer("conv"))
    image = random.normal(size=(3, 5, 6))
    assert len(raw.layers) == 1
    np.testing.assert_array_equal(reference.run(raw, image)[0], reference.run(whole.ending_at(("conv",)), image)[0])
