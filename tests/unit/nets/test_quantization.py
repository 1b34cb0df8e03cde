"""Integers approximate values closely, and one value has one scale wherever it is passed on."""

from __future__ import annotations

import numpy as np
import onnx
from featx_job.nets.graph import operations
from featx_job.nets.graph.network import Layer, Network
from featx_job.nets.onnx.onnx_writer import to_onnx
from featx_job.nets.quantization import (
    ObservedRanges,
    Ranges,
    quantize_weight,
    scale_and_zero_point,
    value_ranges,
    with_all_outputs,
)
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

RANDOM = np.random.default_rng(3)
finite = st.floats(-1e4, 1e4, width=32)


def numbers(*shape: int) -> NDArray[np.float32]:
    return RANDOM.normal(size=shape).astype(np.float32)


def convolution(inputs: int, outputs: int, size: int = 1) -> operations.Convolution:
    return operations.Convolution(numbers(outputs, inputs, size, size), numbers(outputs), pad=(size // 2, size // 2))


def joined() -> Network:
    """Two convolutions, one followed by pooling, whose outputs are concatenated for a third."""
    shape = (4, 6, 6)
    return Network(
        "joined",
        "data",
        (3, 6, 6),
        (
            Layer("left", convolution(3, 4), ("data",), shape),
            Layer("right", convolution(3, 4, 3), ("data",), shape),
            Layer("pooled", operations.Pooling("max", (3, 3), (1, 1), (1, 1)), ("right",), shape),
            Layer("both", operations.Concat(1), ("left", "pooled"), (8, 6, 6)),
            Layer("last", convolution(8, 2), ("both",), (2, 6, 6)),
        ),
        ("last",),
    )


@given(st.lists(finite, min_size=4, max_size=40))
def test_a_weight_is_off_by_half_a_step_at_most(values: list[float]) -> None:
    weight = np.array(values, np.float32).reshape(1, -1, 1, 1)
    integers, scale = quantize_weight(weight)
    assert np.abs(integers * scale.reshape(-1, 1, 1, 1) - weight).max() <= scale[0] * 0.501 + 1e-6


@given(finite, finite)
def test_zero_is_an_integer_and_both_ends_are_representable(one: float, other: float) -> None:
    low, high = sorted((one, other))
    scale, zero = scale_and_zero_point((low, high))
    assert 0 <= zero <= 255
    assert (0 - zero) * scale <= min(low, 0) + scale
    assert (255 - zero) * scale >= max(high, 0) - scale


def test_a_watched_net_lists_its_own_outputs_first() -> None:
    assert with_all_outputs(joined()).outputs == ("last", "left", "right", "pooled", "both")


def test_values_that_are_only_passed_on_share_one_range() -> None:
    observed = ObservedRanges((-9, 9), ((-2, 2), (0, 1), (-3, 4), (-1, 4), (-1, 5)))
    ranges = value_ranges(joined(), observed)
    assert {ranges[name] for name in ("left", "right", "pooled", "both")} == {(-3, 5)}
    assert ranges["data"] == (-9, 9)
    assert ranges["last"] == (-2, 2)


def test_an_int8_net_is_close_to_its_float_version() -> None:
    network, images = joined(), numbers(2, 3, 6, 6)
    plain = run(with_all_outputs(network), images)
    outputs = tuple((float(value.min()), float(value.max())) for value in plain)
    ranges = value_ranges(network, ObservedRanges((float(images.min()), float(images.max())), outputs))
    (outputs_int8,) = run(network, images, ranges)
    assert 0 < np.abs(outputs_int8 - plain[0]).max() < 0.03 * np.abs(plain[0]).max()


def run(network: Network, images: NDArray[np.float32], ranges: Ranges | None = None) -> list[NDArray[np.float32]]:
    """Run a net in ONNX's reference, whose integers do not overflow as on CPUs without VNNI."""
    model = onnx.load_from_string(to_onnx(network, ranges))
    model.opset_import[0].version = 19  # the oldest whose integers the reference has; nothing else differs
    return [np.array(value) for value in ReferenceEvaluator(model).run(None, {network.input: images})]
