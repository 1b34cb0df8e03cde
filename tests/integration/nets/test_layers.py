"""Every supported layer type matches OpenCV's Caffe importer on both engines.

One small net per case; odd sizes expose wrong rounding rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.integration.nets.comparison import boxes, distance, matched, opencv, outputs
from tests.integration.nets.engine import Engine
from tests.support.caffe_nets import CaffeNet
from tests.support.prepared_nets import file_of, load_detector, load_extractor
from tests.support.tiny_models import EXTRACTOR_SIZE, SSD_SIZE, tiny_extractor, tiny_ssd

Build = Callable[[CaffeNet], str]
RANDOM = np.random.default_rng(3)


def values(*shape: int) -> NDArray[np.float32]:
    return RANDOM.normal(0, 1, shape).astype(np.float32)


def positive(*shape: int) -> NDArray[np.float32]:
    return RANDOM.uniform(0.5, 2, shape).astype(np.float32)


def convolution(net: CaffeNet, bottom: str, name: str, channels: int, inputs: int = 3, **given: Any) -> str:
    high, wide = given.get("kernel_h", 0), given.get("kernel_w", 0)
    if not high:
        high = wide = given.setdefault("kernel_size", [3])[0]
    weight = values(channels, inputs // given.get("group", 1), high, wide)
    blobs = [weight, values(channels)] if given.get("bias_term", True) else [weight]
    return net.layer("Convolution", name, [bottom], blobs=blobs, convolution_param={"num_output": channels, **given})


def single_convolution(channels: int = 6, **given: Any) -> Build:
    return lambda net: convolution(net, "data", "out", channels, **given)


def single_pooling(**given: Any) -> Build:
    return lambda net: net.layer("Pooling", "out", ["data"], pooling_param=given)


def single_layer(kind: str, **given: Any) -> Build:
    return lambda net: net.layer(kind, "out", ["data"], **given)


def eltwise_of_branches(**given: Any) -> Build:
    def build(net: CaffeNet) -> str:
        branches = [convolution(net, "data", f"branch{index}", 4) for index in range(3)]
        return net.layer("Eltwise", "out", branches, eltwise_param=given)

    return build


def concat_with_convolution(axis: int) -> Build:
    def build(net: CaffeNet) -> str:
        return net.layer(
            "Concat", "out", ["data", convolution(net, "data", "a", 3, pad=[1])], concat_param={"axis": axis}
        )

    return build


def layer_on_vector(kind: str, name: str = "out", blobs: int = 0, **given: Any) -> Build:
    """A layer on a vector, the output of an InnerProduct of 10 units."""

    def build(net: CaffeNet) -> str:
        product = inner_product(net, "data", "product", 10, 3 * 17 * 19)
        return net.layer(kind, name, [product], blobs=[positive(10) for _ in range(blobs)], **given)

    return build


def inner_product(net: CaffeNet, bottom: str, name: str, units: int, inputs: int, **given: Any) -> str:
    blobs = [values(units, inputs) / np.sqrt(inputs), values(units)]
    return net.layer("InnerProduct", name, [bottom], blobs=blobs, inner_product_param={"num_output": units, **given})


def pre_activation(net: CaffeNet) -> str:
    total = net.layer("Eltwise", "sum", ["data", convolution(net, "data", "a", 3, pad=[1])])
    net.layer("BatchNorm", "bn", [total], blobs=[values(3), positive(3), [1.0]])
    net.layer("Scale", "scale", ["bn"], "bn", [positive(3), values(3)], scale_param={"bias_term": True})
    net.layer("ReLU", "relu", ["bn"], "bn")
    return net.layer("Eltwise", "out", ["bn", convolution(net, "bn", "b", 3, pad=[1], bias_term=False)])


def normalised_convolution(net: CaffeNet) -> str:
    convolution(net, "data", "a", 5, bias_term=False)
    net.layer("BatchNorm", "bn", ["a"], "a", [values(5), positive(5), [3.0]], batch_norm_param={"eps": 1e-3})
    return net.layer("Scale", "out", ["a"], "a", [positive(5)])


def scale_after_relu(net: CaffeNet) -> str:
    net.layer("ReLU", "relu", ["data"])
    return net.layer("Scale", "out", ["relu"], blobs=[values(3), values(3)], scale_param={"bias_term": True})


def normalize(net: CaffeNet, **given: Any) -> str:
    scale = [positive(1)] if given.get("channel_shared") else [positive(3)]
    return net.layer("Normalize", "out", ["data"], blobs=scale, norm_param=given)


def product_after_pooling(net: CaffeNet) -> str:
    net.layer("Pooling", "pool", ["data"], pooling_param={"pool": 1, "global_pooling": True})
    return inner_product(net, "pool", "out", 7, 3)


def product_of_map_then_relu(net: CaffeNet) -> str:
    inner_product(net, convolution(net, "data", "a", 4), "fc", 8, 4 * 15 * 17)
    net.layer("ReLU", "relu", ["fc"], "fc")
    net.layer("Dropout", "drop", ["fc"], "fc")
    return inner_product(net, "fc", "out", 5, 8)


def product_of_flattened(net: CaffeNet) -> str:
    flat = net.layer("Flatten", "flat", [convolution(net, "data", "a", 4)])
    return inner_product(net, flat, "out", 6, 4 * 15 * 17)


def inception(net: CaffeNet) -> str:
    """Branches with different kernels and a pooled one, concatenated twice."""
    pooled = net.layer("Pooling", "pooled", ["data"], pooling_param={"kernel_size": 3, "stride": 1, "pad": 1})
    branches = [
        convolution(net, "data", "one", 4, kernel_size=[1]),
        convolution(net, "data", "three", 5, pad=[1]),
        convolution(net, "data", "five", 3, kernel_size=[5], pad=[2]),
        convolution(net, pooled, "after_pooling", 2, kernel_size=[1]),
    ]
    joined = net.layer("Concat", "joined", branches)
    net.layer("ReLU", "relu", [joined], joined)
    again = net.layer("Concat", "again", [joined, convolution(net, joined, "more", 4, 14, pad=[1])])
    return convolution(net, again, "out", 4, 18)


def separable(net: CaffeNet) -> str:
    """A MobileNet block."""
    first = convolution(net, "data", "a", 8, pad=[1], stride=[2])
    net.layer("ReLU", "relu", [first], first)
    depthwise = convolution(net, first, "depthwise", 8, 8, group=8, pad=[1], bias_term=False)
    net.layer("ReLU", "relu2", [depthwise], depthwise)
    return convolution(net, depthwise, "out", 12, 8, kernel_size=[1])


def relu_with_ceiling(net: CaffeNet) -> str:
    """ReLU6 in standard layers: two ReLUs and two Powers, in place."""
    a = convolution(net, "data", "a", 4)
    for index in range(2):
        net.layer("ReLU", f"relu{index}", [a], a)
        net.layer("Power", f"power{index}", [a], a, power_param={"scale": -1, "shift": 6})
    return convolution(net, a, "out", 3, 4)


def concat_layer_on_vectors(net: CaffeNet) -> str:
    return net.layer("Concat", "out", [inner_product(net, "data", name, 5, 3 * 17 * 19) for name in ("a", "b")])


def scale_layer_on_vector_after_relu(net: CaffeNet) -> str:
    net.layer("ReLU", "relu", [inner_product(net, "data", "product", 10, 3 * 17 * 19)])
    scale = net.layer("Scale", "scale", ["relu"], blobs=[values(10), values(10)], scale_param={"bias_term": True})
    return inner_product(net, scale, "out", 4, 10)


def leaky_before_convolution(net: CaffeNet) -> str:
    return convolution(net, net.layer("ReLU", "r", ["data"], relu_param={"negative_slope": 0.3}), "out", 4)


def average_before_convolution(net: CaffeNet) -> str:
    average = {"pool": 1, "kernel_size": 3, "stride": 2, "pad": 1}
    return convolution(net, net.layer("Pooling", "p", ["data"], pooling_param=average), "out", 4)


def permute_before_convolution(net: CaffeNet) -> str:
    return convolution(net, net.layer("Permute", "p", ["data"], permute_param={"order": [0, 2, 3, 1]}), "out", 4, 17)


# Pitfalls of engines that fuse layers. 16 channels, so that MKL-DNN uses a blocked layout.


def relu_beside_another_reader(net: CaffeNet) -> str:
    first = convolution(net, "data", "a", 16, pad=[1])
    relu = net.layer("ReLU", "relu", [first])
    return net.layer("Eltwise", "out", [relu, first], eltwise_param={"operation": 0})


def normalisation_beside_another_reader(net: CaffeNet) -> str:
    first = convolution(net, "data", "a", 16, pad=[1])
    net.layer("BatchNorm", "bn", [first], blobs=[values(16), positive(16), [1.0]])
    relu = net.layer("ReLU", "relu", ["bn"])
    return net.layer("Eltwise", "out", [first, "bn", relu])


def relu_before_a_sum(net: CaffeNet) -> str:
    parts = [convolution(net, "data", name, 16, pad=[1]) for name in ("a", "b")]
    for part in parts:
        net.layer("ReLU", f"relu_{part}", [part], part)
    return net.layer("Eltwise", "out", parts)


def sum_with_what_the_convolution_reads(net: CaffeNet) -> str:
    first = convolution(net, "data", "a", 16, pad=[1])
    net.layer("ReLU", "relu", [first], first)
    return net.layer("Eltwise", "out", [first, convolution(net, first, "b", 16, 16, pad=[1])])


def sum_with_the_image(net: CaffeNet) -> str:
    total = net.layer("Eltwise", "sum", ["data", convolution(net, "data", "a", 3, pad=[1])])
    return convolution(net, total, "out", 4)


def sum_with_what_is_read_later(net: CaffeNet) -> str:
    first = convolution(net, "data", "a", 16, pad=[1])
    second = convolution(net, convolution(net, first, "b", 16, 16, pad=[1]), "c", 16, 16, pad=[1])
    total = net.layer("Eltwise", "sum", [first, second])
    net.layer("ReLU", "relu", [total], total)
    later = convolution(net, total, "d", 16, 16, pad=[1])
    return net.layer("Eltwise", "out", [later, first])


def sum_with_another_memory_layout(net: CaffeNet) -> str:
    first = convolution(net, "data", "a", 16, pad=[1])
    other = net.layer("ReLU", "relu", [net.layer("Sigmoid", "sigmoid", [first])])
    return net.layer("Eltwise", "out", [other, convolution(net, first, "b", 16, 16, pad=[1])])


def sum_between_other_widths(net: CaffeNet) -> str:
    narrow = convolution(net, "data", "narrow", 3, pad=[1])
    wide = convolution(net, "data", "wide", 16, pad=[1])
    return net.layer("Eltwise", "out", [wide, convolution(net, narrow, "b", 16, 3, pad=[1])])


def residual_blocks(net: CaffeNet) -> str:
    """ResNet blocks: one that changes the width and two that do not."""
    before = convolution(net, "data", "first", 16, pad=[1])
    net.layer("ReLU", "first_relu", [before], before)
    for index, width in enumerate((32, 32, 32)):
        inputs = 16 if index == 0 else 32
        short = convolution(net, before, f"short{index}", width, inputs, kernel_size=[1]) if index == 0 else before
        inner = convolution(net, before, f"inner{index}", 16, inputs, kernel_size=[1])
        net.layer("ReLU", f"inner{index}_relu", [inner], inner)
        outer = convolution(net, inner, f"outer{index}", width, 16, pad=[1])
        before = net.layer("Eltwise", f"sum{index}", [short, outer])
        net.layer("ReLU", f"sum{index}_relu", [before], before)
    return net.layer("Pooling", "out", [before], pooling_param={"pool": 1, "global_pooling": True})


CASES: dict[str, Build] = {
    "convolution": single_convolution(),
    "convolution, stride and pad": single_convolution(stride=[2], pad=[1]),
    "convolution, rectangular": single_convolution(kernel_h=1, kernel_w=5, stride_h=2, stride_w=1, pad_h=0, pad_w=2),
    "convolution, grouped": single_convolution(group=3),
    "convolution, depthwise": single_convolution(3, group=3, pad=[1]),
    "convolution, no bias": single_convolution(bias_term=False),
    "convolution, dilated": single_convolution(dilation=[3], pad=[3]),
    "convolution, dilated in one direction": single_convolution(dilation=[2, 1], pad=[2, 1]),
    "convolution, dilated with stride": single_convolution(dilation=[2], pad=[2], stride=[2]),
    "convolution, dilated and grouped": single_convolution(dilation=[2], pad=[2], group=3),
    "max pooling, rounded up": single_pooling(kernel_size=2, stride=2),
    "max pooling, padded": single_pooling(kernel_size=3, stride=2, pad=1),
    "max pooling, last window in the padding": single_pooling(kernel_size=2, stride=3, pad=1),
    "max pooling, stride 1": single_pooling(kernel_size=3, stride=1, pad=1),
    "max pooling, rectangular": single_pooling(kernel_h=3, kernel_w=2, stride_h=1, stride_w=2),
    "max pooling, global": single_pooling(pool=0, global_pooling=True),
    "average pooling": single_pooling(pool=1, kernel_size=3, stride=2),
    "average pooling, padded": single_pooling(pool=1, kernel_size=3, stride=2, pad=1),
    "average pooling, rounded up": single_pooling(pool=1, kernel_size=4, stride=3),
    "average pooling, rounded up and padded": single_pooling(pool=1, kernel_size=4, stride=3, pad=1),
    "average pooling, global": single_pooling(pool=1, global_pooling=True),
    "relu": single_layer("ReLU"),
    "relu, leaky": single_layer("ReLU", relu_param={"negative_slope": 0.1}),
    "sigmoid": single_layer("Sigmoid"),
    "power, linear": single_layer("Power", power_param={"scale": -2, "shift": 0.5}),
    "power, square": single_layer("Power", power_param={"power": 2, "scale": 0.5, "shift": 1}),
    "lrn": single_layer("LRN", lrn_param={"local_size": 3, "alpha": 0.5, "beta": 0.75}),
    "softmax of a map": single_layer("Softmax"),
    "flatten": single_layer("Flatten"),
    "reshape to rows": single_layer("Reshape", reshape_param={"shape": {"dim": [0, -1]}}),
    "reshape to a map": single_layer("Reshape", reshape_param={"shape": {"dim": [0, 19, 17, -1]}}),
    "permute": single_layer("Permute", permute_param={"order": [0, 2, 3, 1]}),
    "dropout": lambda net: net.layer("Dropout", "out", [convolution(net, "data", "a", 4)]),
    "sum": eltwise_of_branches(),
    "sum, coefficients": eltwise_of_branches(coeff=[1, -0.5, 2]),
    "product": eltwise_of_branches(operation=0),
    "maximum": eltwise_of_branches(operation=2),
    "concat, channels": concat_with_convolution(1),
    "concat, rows": concat_with_convolution(2),
    "softmax of a vector": layer_on_vector("Softmax"),
    "sigmoid of a vector": layer_on_vector("Sigmoid"),
    "relu of a vector": layer_on_vector("ReLU"),
    "concat of vectors": concat_layer_on_vectors,
    "scale after relu of a vector": scale_layer_on_vector_after_relu,
    "sigmoid before a convolution": lambda net: convolution(net, net.layer("Sigmoid", "s", ["data"]), "out", 4),
    "leaky relu before a convolution": leaky_before_convolution,
    "padded average before a convolution": average_before_convolution,
    "permute before a convolution": permute_before_convolution,
    "scale of a vector": layer_on_vector("Scale", blobs=2, scale_param={"bias_term": True}),
    "inner product of a map": lambda net: inner_product(net, "data", "out", 9, 3 * 17 * 19),
    "inner product after global pooling": product_after_pooling,
    "inner products with relu and dropout": product_of_map_then_relu,
    "inner product of flattened": product_of_flattened,
    "batch norm and scale, folded": normalised_convolution,
    "batch norm and scale, before a convolution": pre_activation,
    "scale after relu": scale_after_relu,
    "normalize, a scale a channel": lambda net: normalize(net, across_spatial=False, channel_shared=False),
    "normalize, one scale": lambda net: normalize(net, across_spatial=False, channel_shared=True),
    "inception": inception,
    "separable convolution": separable,
    "relu with a ceiling": relu_with_ceiling,
    "fusion: relu beside another reader": relu_beside_another_reader,
    "fusion: batch norm beside another reader": normalisation_beside_another_reader,
    "fusion: relu before a sum": relu_before_a_sum,
    "fusion: sum with what the convolution reads": sum_with_what_the_convolution_reads,
    "fusion: sum with the image": sum_with_the_image,
    "fusion: sum with what is read later": sum_with_what_is_read_later,
    "fusion: sum with another memory layout": sum_with_another_memory_layout,
    "fusion: sum between other widths": sum_between_other_widths,
    "fusion: residual blocks": residual_blocks,
}


@pytest.mark.parametrize("case", CASES)
def test_a_layer_matches_opencv(any_engine: Engine, case: str) -> None:
    net = CaffeNet(3, 17, 19)
    name = CASES[case](net)
    inputs = values(3, 3, 17, 19)
    (expected,) = outputs(opencv(net.prototxt(), net.caffemodel()), inputs, ["out"])
    loaded = load_extractor(net.prototxt(), net.caffemodel(), "out", any_engine.name)
    (actual,) = any_engine.forward(file_of(loaded), inputs, batch=4)
    assert name
    assert actual.shape == expected.shape
    assert distance(actual, expected) < 1e-5


def test_local_response_normalization_uses_its_constant(any_engine: Engine) -> None:
    """OpenCV ignores k, so the oracle is Caffe's formula (LRNLayer::CrossChannelForward_cpu)."""
    net = CaffeNet(3, 17, 19)
    net.layer("LRN", "out", ["data"], lrn_param={"local_size": 3, "alpha": 0.5, "beta": 0.6, "k": 2})
    inputs = values(3, 3, 17, 19)
    squares = np.pad(inputs.astype(np.float64) ** 2, ((0, 0), (1, 1), (0, 0), (0, 0)))
    expected = inputs * (2 + 0.5 / 3 * (squares[:, :-2] + squares[:, 1:-1] + squares[:, 2:])) ** -0.6
    loaded = load_extractor(net.prototxt(), net.caffemodel(), "out", any_engine.name)
    (actual,) = any_engine.forward(file_of(loaded), inputs, batch=4)
    assert distance(actual, expected.astype(np.float32)) < 1e-5


def test_the_tiny_ssd_matches_opencv(engine: Engine) -> None:
    net = tiny_ssd()
    inputs = RANDOM.uniform(0, 255, (4, 3, 8, 8)).repeat(8, 2).repeat(8, 3).astype(np.float32)
    # Below this threshold, colourless places have equal scores, and rounding decides which of them is suppressed.
    detections = engine.detect(file_of(load_detector(net.prototxt(), net.caffemodel())), inputs, 0.1)
    for ours, theirs in zip(detections, boxes(opencv(net.prototxt(), net.caffemodel()), inputs, 0.1), strict=True):
        assert len(ours) == len(theirs) > 5
        assert {1, 2} == set(ours[:, 0])
        pixels, relative = matched(ours, theirs, SSD_SIZE, SSD_SIZE)
        assert pixels < 0.01
        assert relative < 1e-4


@pytest.mark.parametrize("layer", ["pool", "drop", "hash", "prob", "sum", "depthwise"])
def test_the_tiny_extractor_matches_opencv(any_engine: Engine, layer: str) -> None:
    net = tiny_extractor()
    inputs = RANDOM.uniform(0, 255, (3, 3, EXTRACTOR_SIZE, EXTRACTOR_SIZE)).astype(np.float32)
    (expected,) = outputs(opencv(net.prototxt(), net.caffemodel()), inputs, [layer])
    loaded = load_extractor(net.prototxt(), net.caffemodel(), layer, any_engine.name)
    (actual,) = any_engine.forward(file_of(loaded), inputs, batch=4)
    assert distance(actual, expected) < 1e-5


def test_bits_are_packed_like_numpy(engine: Engine) -> None:
    feature = values(1021)
    assert engine.bits(feature, 0.25) == np.packbits(feature > 0.25).tobytes()
