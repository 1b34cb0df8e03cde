"""Output shapes of operations, so that an inconsistent net is refused when it is read.

Shapes have no batch axis. Sizes are rounded as in Caffe (ConvolutionLayer, PoolingLayer).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from featx_job.nets.errors import ModelError
from featx_job.nets.graph import operations
from featx_job.nets.graph.network import Layer
from featx_job.nets.graph.operations import Operation, Shape

# Values of one image in one layer: a gigabyte. VGG16's largest map at 300x300 has 6 million.
MAX_VALUES = 1 << 28


def output_shape(name: str, operation: Operation, inputs: tuple[Shape, ...], net_input: Shape) -> Shape:
    """Return the shape of an operation's output.

    Args:
        name: The layer's name, for errors.
        operation: The operation.
        inputs: Shapes of its inputs.
        net_input: Shape of the net's input, for errors.

    Raises:
        ModelError: The operation can't be applied to these shapes.
    """
    shape = inputs[0] if inputs else ()
    match operation:
        case operations.Convolution():
            kernel = operation.weight.shape[2:]
            _check_windows(name, kernel, operation.stride, operation.dilation)
            sizes = [
                (size + 2 * pad - dilation * (window - 1) - 1) // stride + 1
                for size, pad, dilation, window, stride in zip(
                    _spatial(name, shape), operation.pad, operation.dilation, kernel, operation.stride, strict=True
                )
            ]
            result: Shape = (operation.weight.shape[0], *sizes)
        case operations.Pooling():
            result = (shape[0], *_pooled(name, operation, _spatial(name, shape)))
        case operations.FullyConnected():
            result = (operation.weight.shape[0],)
        case operations.Eltwise():
            if len(set(inputs)) != 1:
                raise ModelError(f"layer {name}: Eltwise of different shapes {inputs}")
            result = shape
        case operations.Concat():
            result = _concatenated(name, inputs, operation.axis)
        case operations.Softmax(axis=axis):
            if not 0 < axis <= len(shape):
                raise ModelError(f"layer {name}: the shape {shape} has no axis {axis} for a softmax")
            result = shape
        case operations.Permute():
            result = tuple(shape[axis - 1] for axis in operation.order[1:])
        case operations.Flatten():
            result = (math.prod(shape),)
        case operations.Reshape():
            result = _reshaped(name, shape, operation.dims)
        case operations.PriorBox():
            result = (2, boxes_per_location(operation) * math.prod(_spatial(name, shape)) * 4)
        case operations.Priors(boxes=boxes):
            result = (2, boxes.size)
        case operations.DetectionOutput():
            result = (1, operation.keep_top_k, 7)
        case _:
            result = shape
    if any(size < 1 for size in result) and not isinstance(operation, operations.DetectionOutput):
        raise ModelError(f"layer {name}: its output would have the shape {result}; is the input {net_input} too small?")
    check_size(f"layer {name}: its output", result)
    return result


def layer_with_shape(
    name: str, operation: Operation, inputs: tuple[str, ...], shape_of: Callable[[str], Shape], net_input: Shape
) -> Layer:
    """Return a layer with its output shape.

    Args:
        name: The layer's name.
        operation: Its operation.
        inputs: Names of the layers that it reads, or of the net's input.
        shape_of: Returns the shape of an input.
        net_input: Shape of the net's input.

    Raises:
        ModelError: As `output_shape`.
    """
    return Layer(name, operation, inputs, output_shape(name, operation, tuple(map(shape_of, inputs)), net_input))


def check_size(what: str, shape: Shape) -> None:
    """Refuse a shape that no executor has memory for; usually a wrong number in a prototxt.

    Raises:
        ModelError: The shape has more than MAX_VALUES values.
    """
    if math.prod(shape) > MAX_VALUES:
        raise ModelError(f"{what} would have the shape {shape}, more than {MAX_VALUES:,} values per image")


def boxes_per_location(operation: operations.PriorBox) -> int:
    """Return the number of default boxes of a PriorBox layer at each location of its map."""
    return len(aspect_ratios(operation)) * len(operation.min_sizes) + len(operation.max_sizes)


def aspect_ratios(operation: operations.PriorBox) -> list[float]:
    """Return the aspect ratios of a PriorBox layer without duplicates: first 1, each flipped one after its original."""
    ratios = [1.0]
    for ratio in operation.aspect_ratios:
        if all(abs(ratio - other) > 1e-6 for other in ratios):
            ratios += [ratio, 1.0 / ratio] if operation.flip else [ratio]
    return ratios


def _spatial(name: str, shape: Shape) -> Shape:
    if len(shape) != 3:
        raise ModelError(f"layer {name} needs a map (channels, height, width), but its input has the shape {shape}")
    return shape[1:]


def _check_windows(name: str, *pairs: tuple[int, ...]) -> None:
    if not all(1 <= number < 1 << 31 for pair in pairs for number in pair):
        raise ModelError(f"layer {name}: kernel, stride and dilation must be 1 or more, but are {pairs}")


def _pooled(name: str, pooling: operations.Pooling, sizes: Shape) -> list[int]:
    """Return height and width after pooling (PoolingLayer::Reshape)."""
    _check_windows(name, pooling.kernel, pooling.stride)
    if any(pad >= kernel for pad, kernel in zip(pooling.pad, pooling.kernel, strict=True)):
        raise ModelError(f"layer {name}: the padding {pooling.pad} must be smaller than the window {pooling.kernel}")
    counts = []
    for size, kernel, stride, pad in zip(sizes, pooling.kernel, pooling.stride, pooling.pad, strict=True):
        steps = (size + 2 * pad - kernel) / stride
        count = (math.ceil(steps) if pooling.round_up else math.floor(steps)) + 1
        if (count - 1) * stride >= size + pad:
            # With padding on either axis Caffe drops such a window. Without, it takes the maximum or the mean of
            # nothing, and so does MKL-DNN, whose division by 0 would end the executor.
            if not any(pooling.pad):
                raise ModelError(f"layer {name}: its last window lies outside the map {sizes} and is empty")
            count -= 1
        counts.append(count)
    return counts


def _concatenated(name: str, inputs: tuple[Shape, ...], axis: int) -> Shape:
    at = axis - 1
    rest = {shape[:at] + shape[at + 1 :] for shape in inputs if len(shape) > at >= 0}
    if len(rest) != 1 or any(len(shape) <= at for shape in inputs) or at < 0:
        raise ModelError(f"layer {name}: shapes {inputs} can't be concatenated along axis {axis}")
    return (*inputs[0][:at], sum(shape[at] for shape in inputs), *inputs[0][at + 1 :])


def _reshaped(name: str, shape: Shape, dims: tuple[int, ...]) -> Shape:
    wanted = [size or (shape[index] if index < len(shape) else 0) for index, size in enumerate(dims[1:])]
    total = math.prod(shape)
    if wanted.count(-1) == 1:
        known = math.prod(size for size in wanted if size != -1)
        wanted[wanted.index(-1)] = total // known if known else 0
    # The batch stays the first axis; a file may give it as 1, the batch size of the file.
    if dims[:1] not in ((0,), (1,), (-1,)) or any(size < 1 for size in wanted) or math.prod(wanted) != total:
        raise ModelError(f"layer {name}: the shape {shape} can't be reshaped to {dims}")
    return tuple(wanted)
