"""The meaning of each ONNX operator in our graph.

An operator becomes one operation, or a chain of several that starts with the node's inputs. Weights are the inputs that
are constant, whether the file stores or computes them.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from featx_job.nets.errors import ModelError
from featx_job.nets.graph import operations, shapes
from featx_job.nets.graph.operations import Array, Operation, Shape
from featx_job.nets.onnx.onnx_writer import DOMAIN

Operations = Sequence[Operation]


class Node(NamedTuple):
    """A node of the model.

    Attributes:
        name: Name of its output.
        kind: Its operator.
        opset: Version of the operators.
        attributes: Its settings.
        inputs: Names of its inputs, in order; None for omitted ones.
        constants: Numbers of the model's constants, by name.
        shapes: Shapes of the other inputs, without the batch axis, in order.
    """

    name: str
    kind: str
    opset: int
    attributes: Mapping[str, Any]
    inputs: tuple[str | None, ...]
    constants: Mapping[str, NDArray[Any]]
    shapes: tuple[Shape, ...]

    def error(self, why: str) -> ModelError:
        """Return an error that names the node."""
        return ModelError(f"node {self.name} ({self.kind}): {why}")

    def constant(self, index: int) -> NDArray[Any] | None:
        """Return the numbers of an input, or None if it is omitted.

        Raises:
            ModelError: The input depends on the image.
        """
        name = self.inputs[index] if index < len(self.inputs) else None
        if name is None:
            return None
        if name not in self.constants:
            raise self.error(f"its input {name} must be constant, but depends on the image")
        return self.constants[name]

    def weights(self, index: int) -> Array:
        """Return the numbers of an input as float32. Raises ModelError if it has none."""
        numbers = self.constant(index)
        if numbers is None:
            raise self.error(f"input {index} is missing")
        return np.asarray(numbers, np.float32)

    def pair(self, name: str) -> tuple[int, int]:
        """Return a setting for (height, width); defaults to 1."""
        high, wide = self.attributes.get(name, (1, 1))
        return int(high), int(wide)

    def axis(self, value: int) -> int:
        """Return an axis, counted with the batch as 0, from one that may be counted from the end."""
        return value + len(self.shapes[0]) + 1 if value < 0 else value


def _convolution(node: Node) -> Operations:
    weight = node.weights(1)
    if weight.ndim != 4:
        raise node.error(f"its weights have the shape {weight.shape}; only 2-D convolutions are supported")
    bias = node.weights(2) if len(node.inputs) > 2 else np.zeros(len(weight), np.float32)
    stride, dilation = node.pair("strides"), node.pair("dilations")
    kernel = tuple(step * (size - 1) + 1 for step, size in zip(dilation, weight.shape[2:], strict=True))
    before, after = _pads(node, kernel, stride)
    weight, pad = _with_symmetric_pads(node, weight, dilation, before, after)
    return [operations.Convolution(weight, bias, stride, pad, dilation, int(node.attributes.get("group", 1)))]


def _with_symmetric_pads(
    node: Node, weight: Array, dilation: tuple[int, int], before: tuple[int, int], after: tuple[int, int]
) -> tuple[Array, tuple[int, int]]:
    """Make padding symmetric: zero rows and columns in the kernel replace the difference."""
    widths = [(0, 0), (0, 0)]
    for step, first, last in zip(dilation, before, after, strict=True):
        if (last - first) % step:
            raise node.error(
                f"padding {before} before and {after} after can't be made symmetric with dilation {dilation}"
            )
        widths.append((max(0, (last - first) // step), max(0, (first - last) // step)))
    return np.pad(weight, widths), (max(before[0], after[0]), max(before[1], after[1]))


def _pads(node: Node, kernel: Sequence[int], stride: Sequence[int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the padding before and after (height, width)."""
    automatic = node.attributes.get("auto_pad", b"NOTSET").decode()
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        total = [
            max(0, (math.ceil(size / step) - 1) * step + window - size)
            for size, window, step in zip(node.shapes[0][1:], kernel, stride, strict=True)
        ]
        less, more = [size // 2 for size in total], [size - size // 2 for size in total]
        before, after = (less, more) if automatic == "SAME_UPPER" else (more, less)
    elif automatic == "VALID":
        before, after = [0, 0], [0, 0]
    else:
        pads = [int(size) for size in node.attributes.get("pads", (0, 0, 0, 0))]
        before, after = pads[:2], pads[2:]
    return (before[0], before[1]), (after[0], after[1])


def _pooling(method: Literal["max", "average"]) -> Callable[[Node], Operations]:
    return lambda node: [_pooled(node, method)]


def _pooled(node: Node, method: Literal["max", "average"]) -> operations.Pooling:
    """Return Caffe's pooling with the same windows.

    A maximum does not depend on where padding ends. A mean does: Caffe counts padding, but not what lies beyond it.
    """
    kernel, stride = node.pair("kernel_shape"), node.pair("strides")
    if node.pair("dilations") != (1, 1):
        raise node.error("dilated windows are not supported")
    before, after = _pads(node, kernel, stride)
    rounded = math.ceil if node.attributes.get("ceil_mode") else math.floor
    wanted = tuple(
        rounded((size + first + last - window) / step) + 1
        for size, first, last, window, step in zip(node.shapes[0][1:], before, after, kernel, stride, strict=True)
    )
    counts_pads = bool(node.attributes.get("count_include_pad", 0))
    padded = any((*before, *after))
    if method == "average" and padded and (not counts_pads or before != after or rounded is math.ceil):
        raise node.error(f"a mean with padding {before} before and {after} after is not supported")
    for round_up in (False, True):
        pooling = operations.Pooling(method, kernel, stride, before, round_up)
        if shapes.output_shape(node.name, pooling, node.shapes, node.shapes[0])[1:] == wanted:
            return pooling
    raise node.error(f"padding {before} before and {after} after is not supported")


def _global_mean(node: Node) -> Operations:
    return [operations.Pooling("average", _size(node), _size(node))]


def _mean(node: Node) -> Operations:
    axes = node.attributes.get("axes") if len(node.inputs) < 2 else node.constant(1)
    if axes is None or sorted(node.axis(int(axis)) for axis in axes) != [2, 3]:
        raise node.error("only a mean over height and width is supported")
    keep_axes = node.attributes.get("keepdims", 1)
    return [operations.Pooling("average", _size(node), _size(node)), *([] if keep_axes else [operations.Flatten()])]


def _size(node: Node) -> tuple[int, int]:
    if len(node.shapes[0]) != 3:
        raise node.error(f"it needs a map (channels, height, width), but its input has the shape {node.shapes[0]}")
    return node.shapes[0][1], node.shapes[0][2]


def _gemm(node: Node) -> Operations:
    settings = node.attributes
    if settings.get("transA") or settings.get("alpha", 1.0) != 1.0 or settings.get("beta", 1.0) != 1.0:
        raise node.error("transA, and alpha or beta other than 1, are not supported")
    weight = node.weights(1) if settings.get("transB") else node.weights(1).T
    bias = node.weights(2) if len(node.inputs) > 2 else np.zeros(1, np.float32)
    return [_product(node, weight, np.broadcast_to(bias.reshape(-1), (len(weight),)).copy())]


def _matmul(node: Node) -> Operations:
    weight = node.weights(1).T
    return [_product(node, weight, np.zeros(len(weight), np.float32))]


def _product(node: Node, weight: Array, bias: Array) -> operations.FullyConnected:
    if weight.ndim != 2 or node.shapes[0] != weight.shape[1:]:
        raise node.error(f"the shape {node.shapes[0]} can't be multiplied by weights of the shape {weight.T.shape}")
    return operations.FullyConnected(np.ascontiguousarray(weight), bias)


def _arithmetic(node: Node) -> Operations:
    """Add, Sub, Mul or Div: of two values, or of a value and one number per channel."""
    if len(node.shapes) == len(node.inputs):
        return [_elementwise(node)]
    if len(node.inputs) != 2:
        raise node.error("a constant among more than two inputs is not supported")
    first = node.inputs[0] in node.constants
    numbers = _per_channel(node, node.weights(0 if first else 1))
    none, one = np.zeros_like(numbers), np.ones_like(numbers)
    match node.kind:
        case "Mul":
            return [operations.Affine(numbers, none)]
        case "Div" if not first:
            return [operations.Affine((1 / numbers.astype(np.float64)).astype(np.float32), none)]
        case "Sub":
            return [operations.Affine(-one, numbers) if first else operations.Affine(one, -numbers)]
        case "Add" | "Sum":
            return [operations.Affine(one, numbers)]
    raise node.error("a constant divided by a value is not supported")


def _elementwise(node: Node) -> operations.Eltwise:
    match node.kind:
        case "Mul":
            return operations.Eltwise("product")
        case "Sub":
            return operations.Eltwise("sum", (1.0, -1.0))
        case "Add" | "Sum":
            return operations.Eltwise("sum")
    raise node.error("the quotient of two values is not supported")


def _per_channel(node: Node, numbers: Array) -> Array:
    shape = node.shapes[0]
    wanted = (shape[0], *[1] * (len(shape) - 1))
    whole = (1,) * (len(wanted) + 1 - numbers.ndim) + numbers.shape
    if len(whole) > len(wanted) + 1 or any(
        size not in (1, want) for size, want in zip(whole, (1, *wanted), strict=True)
    ):
        raise node.error(f"constants of the shape {numbers.shape} are not one number per channel of {shape}")
    return np.broadcast_to(numbers.reshape(-1), (shape[0],)).copy()


def _batch_normalization(node: Node) -> Operations:
    scale, shift, mean, variance = (node.weights(index).astype(np.float64) for index in range(1, 5))
    factor = scale / np.sqrt(variance + float(node.attributes.get("epsilon", 1e-5)))
    return [operations.Affine(factor.astype(np.float32), (shift - mean * factor).astype(np.float32))]


def _clip(node: Node) -> Operations:
    limits = []
    for index, name, default in ((1, "min", -math.inf), (2, "max", math.inf)):
        limit = node.constant(index)
        limits.append(float(node.attributes.get(name, default) if limit is None else limit.item()))
    low, high = limits
    if high == math.inf and low == 0:
        return [operations.Relu()]
    if math.inf in (high, -low):
        raise node.error(f"only limits on both sides, or 0 below, are supported: {low} to {high}")
    return [operations.Clip(low, high)]


def _softmax(node: Node) -> Operations:
    if node.opset < 13 and len(node.shapes[0]) > 1:
        raise node.error(
            f"a softmax of opset {node.opset} over the shape {node.shapes[0]}: export with opset 13 or later"
        )
    return [operations.Softmax(node.axis(int(node.attributes.get("axis", 1 if node.opset < 13 else -1))))]


def _flatten(node: Node) -> Operations:
    if node.axis(int(node.attributes.get("axis", 1))) != 1:
        raise node.error("only axis 1 is supported: the batch must stay a separate axis")
    return [operations.Flatten()]


def _reshape(node: Node) -> Operations:
    sizes = node.constant(1)
    if sizes is None:
        raise node.error("its shape is missing")
    return [operations.Reshape(tuple(int(size) for size in sizes))]


def _squeeze(node: Node) -> Operations:
    axes = node.attributes.get("axes") if len(node.inputs) < 2 else node.constant(1)
    if axes is None:
        raise node.error("its axes are missing")
    if node.kind == "Unsqueeze":
        size = list(node.shapes[0])
        for axis in sorted(int(axis) + (len(node.shapes[0]) + 1 + len(axes) if axis < 0 else 0) for axis in axes):
            size.insert(axis - 1, 1)
    else:
        removed = {node.axis(int(axis)) for axis in axes}
        size = [length for axis, length in enumerate(node.shapes[0], 1) if axis not in removed]
    return [operations.Reshape((0, *size))]


def _featx_operation(operation: type[operations.PriorBox | operations.DetectionOutput]) -> Callable[[Node], Operations]:
    """Return a reader of a Featx operation that onnx_writer wrote."""
    hints = typing.get_type_hints(operation)

    def read(node: Node) -> Operations:
        values = {
            field.name: _typed(node.attributes.get(field.name), hints[field.name])
            for field in dataclasses.fields(operation)
        }
        return [operation(**values)]

    return read


def _typed(value: Any, hint: Any) -> Any:
    """Convert an attribute to a field's type; an omitted one is empty."""
    optional = isinstance(hint, types.UnionType)
    if value is None:
        return None if optional else ()
    if optional or typing.get_origin(hint) is tuple:
        return tuple(value)
    return bool(value) if hint is bool else value


def _priors(node: Node) -> Operations:
    return [operations.Priors(node.weights(0), node.weights(1))]


# By domain, then by operator; "" is ONNX itself.
OPERATORS: Mapping[tuple[str, str], Callable[[Node], Operations]] = {
    ("", "Add"): _arithmetic,
    ("", "AveragePool"): _pooling("average"),
    ("", "BatchNormalization"): _batch_normalization,
    ("", "Cast"): lambda node: [operations.Identity()],
    ("", "Clip"): _clip,
    ("", "Concat"): lambda node: [operations.Concat(node.axis(int(node.attributes["axis"])))],
    ("", "Conv"): _convolution,
    ("", "Div"): _arithmetic,
    ("", "Dropout"): lambda node: [operations.Identity()],
    ("", "Flatten"): _flatten,
    ("", "Gemm"): _gemm,
    ("", "GlobalAveragePool"): _global_mean,
    ("", "Identity"): lambda node: [operations.Identity()],
    ("", "LRN"): lambda node: [
        operations.LocalResponse(
            int(node.attributes["size"]),
            float(node.attributes.get("alpha", 1e-4)),
            float(node.attributes.get("beta", 0.75)),
            float(node.attributes.get("bias", 1.0)),
        )
    ],
    ("", "LeakyRelu"): lambda node: [operations.Relu(float(node.attributes.get("alpha", 0.01)))],
    ("", "MatMul"): _matmul,
    ("", "Max"): lambda node: [operations.Eltwise("max")],
    ("", "MaxPool"): _pooling("max"),
    ("", "Mul"): _arithmetic,
    ("", "ReduceMean"): _mean,
    ("", "Relu"): lambda node: [operations.Relu()],
    ("", "Reshape"): _reshape,
    ("", "Sigmoid"): lambda node: [operations.Sigmoid()],
    ("", "Softmax"): _softmax,
    ("", "Squeeze"): _squeeze,
    ("", "Sub"): _arithmetic,
    ("", "Sum"): _arithmetic,
    ("", "Transpose"): lambda node: [operations.Permute(tuple(int(axis) for axis in node.attributes["perm"]))],
    ("", "Unsqueeze"): _squeeze,
    (DOMAIN, "DetectionOutput"): _featx_operation(operations.DetectionOutput),
    (DOMAIN, "PriorBox"): _featx_operation(operations.PriorBox),
    (DOMAIN, "Priors"): _priors,
}
