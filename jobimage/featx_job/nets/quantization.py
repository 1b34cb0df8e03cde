"""What a net in 8-bit integers has to know: between which values each of its layers' outputs lie.

A value v is stored as round(v / scale): activations with one scale a layer, from the lowest and the highest value seen
on images of the source, weights with one for each channel, which are known. The same ranges serve both engines.
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

# They hand on the integers that they are given.
PASSING = (operations.Identity, operations.Flatten, operations.Concat)


class Seen(NamedTuple):
    """Lowest and highest values: of a net's input and of each output of `watched` (dev.featx.nets.WatchedNetwork)."""

    input: Range
    outputs: tuple[Range, ...]


def watched(network: Network) -> Network:
    """Returns the net with more outputs behind its own: all values that can be integers."""
    layers = [each.name for each in network.layers if len(each.shape) in (1, 3) and each.name not in network.outputs]
    return replace(network, outputs=(*network.outputs, *layers))


def settled(network: Network, seen: Seen) -> Ranges:
    """Returns the range of each value, where layers that only hand on integers share one with those that they read."""
    found = dict(zip(watched(network).outputs, seen.outputs, strict=True)) | {network.input: seen.input}
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


def passes_on(operation: operations.Operation) -> bool:
    """Returns whether a layer's outputs are among its inputs: then integers stay what they are."""
    return isinstance(operation, PASSING) or (isinstance(operation, operations.Pooling) and operation.method == "max")


def per_channel(weight: Array) -> tuple[NDArray[np.int8], Array]:
    """Returns weights (out, ...) as integers of -127 to 127, and the scale of each output channel (out,)."""
    integers, scale = np.empty(weight.shape, np.int8), np.empty(len(weight), np.float32)
    for channel, values in enumerate(weight):  # all at once would take twice the weights' memory
        scale[channel] = max(np.abs(values).max(), np.float32(1e-6)) / np.float32(127)
        integers[channel] = np.clip(np.rint(values / scale[channel]), -127, 127)
    return integers, scale


def scale_and_zero(values: Range) -> tuple[float, int]:
    """Returns what a value of 1 is as an unsigned integer, and the integer that stands for 0."""
    low, high = min(values[0], 0.0), max(values[1], 0.0)
    scale = max(high - low, 1e-6) / 255
    return scale, int(np.clip(round(-low / scale), 0, 255))


def _both(one: Range, other: Range) -> Range:
    return min(one[0], other[0]), max(one[1], other[1])
