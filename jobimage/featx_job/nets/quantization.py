"""What a net in 8-bit integers has to know: between which values each of its layers' outputs lie.

A value v is stored as round(v / scale): activations with one scale a layer, from the lowest and the highest value seen
on pictures of the source, weights with one for each channel, which are known. The same ranges serve both engines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from featx_job.nets import graph
from featx_job.nets.graph import Array, Network

Range = tuple[float, float]
Ranges = Mapping[str, Range]

# They hand on the integers that they are given.
PASSING = (graph.Identity, graph.Flatten, graph.Concat)


def watched(network: Network) -> Network:
    """Returns the net with the outputs of which ranges are wanted: its input apart, all that can be integers."""
    layers = [layer.name for layer in network.layers if len(layer.shape) in (1, 3)]
    return replace(network, outputs=tuple(layers))


def settled(network: Network, seen: Sequence[Range], of_input: Range) -> Ranges:
    """Returns the range of each value, where layers that only hand on integers share one with those that they read.

    Args:
        network: The net.
        seen: Lowest and highest value of each output of `watched(network)`.
        of_input: The same of the net's input.
    """
    found = dict(zip(watched(network).outputs, seen, strict=True)) | {network.input: of_input}
    shared = {name: name for name in found}

    def representative(name: str) -> str:
        while shared[name] != name:
            name = shared[name]
        return name

    for layer in network.layers:
        if passes_on(layer.operation):
            for name in (layer.name, *layer.inputs):
                if name in found:
                    first, second = representative(layer.name), representative(name)
                    shared[second] = first
                    found[first] = _both(found[first], found[second])
    return {name: found[representative(name)] for name in found}


def passes_on(operation: graph.Operation) -> bool:
    """Returns whether a layer's outputs are among its inputs: then integers stay what they are."""
    return isinstance(operation, PASSING) or (isinstance(operation, graph.Pooling) and operation.method == "max")


def per_channel(weight: Array) -> tuple[NDArray[np.int8], Array]:
    """Returns weights (out, ...) as integers of -127 to 127, and the scale of each output channel (out,)."""
    largest = np.abs(weight.reshape(len(weight), -1)).max(axis=1)
    scale = np.maximum(largest, 1e-6).astype(np.float32) / np.float32(127)
    integers = np.rint(weight / scale.reshape(-1, *[1] * (weight.ndim - 1)))
    return np.clip(integers, -127, 127).astype(np.int8), scale


def scale_and_zero(values: Range) -> tuple[float, int]:
    """Returns what a value of 1 is as an unsigned integer, and the integer that stands for 0."""
    low, high = min(values[0], 0.0), max(values[1], 0.0)
    scale = max(high - low, 1e-6) / 255
    return scale, int(np.clip(round(-low / scale), 0, 255))


def _both(one: Range, other: Range) -> Range:
    return min(one[0], other[0]), max(one[1], other[1])
