"""Ranges of a net's values, from which 8-bit integer arithmetic is derived.

A value v is stored as round(v / scale). Activations have one scale per layer, from the lowest and the highest value
observed on images of the source; weights have one per channel. Both engines use the same ranges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from featx_job.nets.graph import operations
from featx_job.nets.graph.network import Network
from featx_job.nets.graph.operations import Array

Range = tuple[float, float]
Ranges = Mapping[str, Range]

_VALUE_PRESERVING = (operations.Identity, operations.Flatten, operations.Concat)


class ObservedRanges(NamedTuple):
    """Lowest and highest values of a net's input and of each output of `with_all_outputs`.

    Executors observe them (dev.featx.nets.WatchedNetwork).
    """

    input: Range
    outputs: tuple[Range, ...]


def with_all_outputs(network: Network) -> Network:
    """Return the net with further outputs after its own: all values that can be quantized."""
    names = [layer.name for layer in network.layers if len(layer.shape) in (1, 3) and layer.name not in network.outputs]
    return replace(network, outputs=(*network.outputs, *names))


def value_ranges(network: Network, observed: ObservedRanges) -> Ranges:
    """Return the range of each value. Layers that preserve values share one range with their inputs."""
    names = with_all_outputs(network).outputs
    ranges = dict(zip(names, observed.outputs, strict=True)) | {network.input: observed.input}
    group_of = {name: name for name in ranges}

    def representative(name: str) -> str:
        while group_of[name] != name:
            name = group_of[name]
        return name

    for layer in network.layers:
        if preserves_values(layer.operation):
            for name in (layer.name, *layer.inputs):
                if name in ranges:
                    first, second = representative(layer.name), representative(name)
                    group_of[second] = first
                    ranges[first] = _union(ranges[first], ranges[second])
    return {name: ranges[representative(name)] for name in ranges}


def preserves_values(operation: operations.Operation) -> bool:
    """Return whether an operation's outputs are among its inputs, so that integers stay the same."""
    return isinstance(operation, _VALUE_PRESERVING) or (
        isinstance(operation, operations.Pooling) and operation.method == "max"
    )


def quantize_weight(weight: Array) -> tuple[NDArray[np.int8], Array]:
    """Return weights (out, ...) as integers from -127 to 127, and the scale of each output channel (out,)."""
    integers, scale = np.empty(weight.shape, np.int8), np.empty(len(weight), np.float32)
    for channel, values in enumerate(weight):  # all at once would take twice the weights' memory
        scale[channel] = max(np.abs(values).max(), np.float32(1e-6)) / np.float32(127)
        integers[channel] = np.clip(np.rint(values / scale[channel]), -127, 127)
    return integers, scale


def scale_and_zero_point(values: Range) -> tuple[float, int]:
    """Return the scale of unsigned integers that cover a range, and the integer that represents 0."""
    low, high = min(values[0], 0.0), max(values[1], 0.0)
    scale = max(high - low, 1e-6) / 255
    return scale, int(np.clip(round(-low / scale), 0, 255))


def _union(one: Range, other: Range) -> Range:
    return min(one[0], other[0]), max(one[1], other[1])
