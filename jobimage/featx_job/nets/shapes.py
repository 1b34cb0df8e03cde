"""The shape that each operation's output has, so that a net that does not fit together is refused when it is read.

Shapes are without the batch axis. Sizes are rounded as Caffe rounds them (ConvolutionLayer, PoolingLayer).
"""

from __future__ import annotations

import math

import numpy as np

from featx_job.nets import graph
from featx_job.nets.errors import ModelError
from featx_job.nets.graph import Operation, Shape


def after(name: str, operation: Operation, inputs: tuple[Shape, ...], net_input: Shape) -> Shape:
    """Returns the shape of an operation's output.

    Args:
        name: The layer's name, for the error.
        operation: The operation.
        inputs: Shapes of what it reads.
        net_input: Shape of the net's input, which prior boxes are relative to.

    Raises:
        ModelError: The operation can't be applied to these shapes.
    """
    shape = inputs[0]
    match operation:
        case graph.Convolution():
            kernel = operation.weight.shape[2:]
            sizes = [
                (size + 2 * pad - dilation * (window - 1) - 1) // stride + 1
                for size, pad, dilation, window, stride in zip(
                    _spatial(name, shape), operation.pad, operation.dilation, kernel, operation.stride, strict=True
                )
            ]
            result: Shape = (operation.weight.shape[0], *sizes)
        case graph.Pooling():
            edges = zip(_spatial(name, shape), operation.kernel, operation.stride, operation.pad, strict=True)
            result = (shape[0], *(_pooled(*edge, round_up=operation.round_up) for edge in edges))
        case graph.FullyConnected():
            result = (operation.weight.shape[0],)
        case graph.Eltwise():
            if len(set(inputs)) != 1:
                raise ModelError(f"layer {name}: Eltwise of different shapes {inputs}")
            result = shape
        case graph.Concat():
            result = _joined(name, inputs, operation.axis)
        case graph.Permute():
            result = tuple(shape[axis - 1] for axis in operation.order[1:])
        case graph.Flatten():
            result = (int(np.prod(shape)),)
        case graph.Reshape():
            result = _reshaped(name, shape, operation.dims)
        case graph.PriorBox():
            result = (2, boxes_at_a_place(operation) * int(np.prod(_spatial(name, shape))) * 4)
        case graph.DetectionOutput():
            result = (1, operation.keep_top_k, 7)
        case _:
            result = shape
    if any(size < 1 for size in result) and not isinstance(operation, graph.DetectionOutput):
        raise ModelError(f"layer {name}: its output would have the shape {result}; is the input {net_input} too small?")
    return result


def boxes_at_a_place(operation: graph.PriorBox) -> int:
    """Returns how many default boxes a PriorBox layer puts at each place of its map."""
    return len(ratios(operation)) * len(operation.min_sizes) + len(operation.max_sizes)


def ratios(operation: graph.PriorBox) -> list[float]:
    """Returns the aspect ratios of a PriorBox layer: 1 first, flipped ones after their own, none twice."""
    found = [1.0]
    for ratio in operation.aspect_ratios:
        if all(abs(ratio - other) > 1e-6 for other in found):
            found += [ratio, 1.0 / ratio] if operation.flip else [ratio]
    return found


def _spatial(name: str, shape: Shape) -> Shape:
    if len(shape) != 3:
        raise ModelError(f"layer {name} needs a map (channels, height, width), but reads the shape {shape}")
    return shape[1:]


def _pooled(size: int, kernel: int, stride: int, pad: int, *, round_up: bool) -> int:
    steps = (size + 2 * pad - kernel) / stride
    count = (math.ceil(steps) if round_up else math.floor(steps)) + 1
    # The last window must begin in the picture, not in the padding.
    return count - 1 if pad and (count - 1) * stride >= size + pad else count


def _joined(name: str, inputs: tuple[Shape, ...], axis: int) -> Shape:
    at = axis - 1
    rest = {shape[:at] + shape[at + 1 :] for shape in inputs if len(shape) > at >= 0}
    if len(rest) != 1 or any(len(shape) <= at for shape in inputs) or at < 0:
        raise ModelError(f"layer {name}: shapes {inputs} can't be joined along axis {axis}")
    return (*inputs[0][:at], sum(shape[at] for shape in inputs), *inputs[0][at + 1 :])


def _reshaped(name: str, shape: Shape, dims: tuple[int, ...]) -> Shape:
    wanted = [shape[index] if size == 0 else size for index, size in enumerate(dims[1:])]
    total = int(np.prod(shape))
    if -1 in wanted:
        known = int(np.prod([size for size in wanted if size != -1]))
        wanted[wanted.index(-1)] = total // known if known else 0
    if int(np.prod(wanted)) != total:
        raise ModelError(f"layer {name}: the shape {shape} can't be made {dims}")
    return tuple(wanted)
