"""Runs a net layer by layer in plain numpy, slowly and obviously: the oracle for rewriting."""

from __future__ import annotations

import numpy as np
from featx_job.nets.graph import operations
from featx_job.nets.graph.network import Layer, Network
from numpy.typing import NDArray

Values = NDArray[np.float64]


def run(network: Network, image: Values) -> list[Values]:
    """Return the outputs of a net for one image (channels, height, width)."""
    known = {network.input: image}
    for layer in network.layers:
        known[layer.name] = _output(layer, [known[name] for name in layer.inputs])
    return [known[name] for name in network.outputs]


def _output(layer: Layer, inputs: list[Values]) -> Values:
    value = inputs[0]
    match layer.operation:
        case operations.Convolution():
            return _convolution(layer.operation, value)
        case operations.FullyConnected(weight=weight, bias=bias):
            return np.asarray(weight.astype(np.float64) @ value.ravel() + bias)
        case operations.Affine(scale=scale, shift=shift):
            shape = (-1, *[1] * (value.ndim - 1))
            return value * scale.reshape(shape).astype(np.float64) + shift.reshape(shape)
        case operations.Relu(slope=slope):
            return np.where(value > 0, value, slope * value)
        case operations.Identity():
            return value
        case operations.Eltwise(method="sum", factors=factors):
            weighted = [factor * term for factor, term in zip(factors or [1] * len(inputs), inputs, strict=True)]
            return np.asarray(np.sum(weighted, axis=0))
    raise NotImplementedError(type(layer.operation).__name__)


def _convolution(operation: operations.Convolution, value: Values) -> Values:
    (up, left), (down, right), (high, wide) = operation.pad, operation.stride, operation.dilation
    padded = np.pad(value, ((0, 0), (up, up), (left, left)))
    out, inputs, rows, columns = operation.weight.shape
    height = (padded.shape[1] - high * (rows - 1) - 1) // down + 1
    width = (padded.shape[2] - wide * (columns - 1) - 1) // right + 1
    result = np.zeros((out, height, width))
    for channel in range(out):
        first = channel // (out // operation.groups) * inputs
        for y in range(height):
            for x in range(width):
                window = padded[first : first + inputs, y * down :, x * right :]
                window = window[:, : high * (rows - 1) + 1 : high, : wide * (columns - 1) + 1 : wide]
                result[channel, y, x] = (window * operation.weight[channel]).sum() + operation.bias[channel]
    return result
