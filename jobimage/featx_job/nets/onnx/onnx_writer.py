"""`Network` -> ONNX, for engines that read it: standard operators where they exist, and always the same bytes.

Caffe and ONNX count pooling windows differently, and ONNX engines disagree on the mean of a window that reaches beyond
the padding. So padding is written out to the end of Caffe's last window, nothing is rounded up, and such a mean is
corrected by a factor. ONNX has no operators for an SSD's end: it is written as nodes of the domain `dev.featx`, so that
a detector stays one file; engines get the part before it (detection.split).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper

from featx_job.nets import protobuf_wire
from featx_job.nets.graph import operations
from featx_job.nets.graph.network import Layer, Network
from featx_job.nets.graph.operations import Array, Operation, Shape
from featx_job.nets.protobuf_wire import Parts
from featx_job.nets.quantization import Ranges, preserves_values, quantize_weight, scale_and_zero_point

OPSET = 17
IR_VERSION = 8
DOMAIN = "dev.featx"
_ELTWISE = {"sum": "Add", "product": "Mul", "max": "Max"}


def to_onnx(network: Network, ranges: Ranges | None = None) -> bytes:
    """Return the net as an ONNX model in one piece; see `onnx_parts`."""
    return b"".join(onnx_parts(network, ranges))


def onnx_parts(network: Network, ranges: Ranges | None = None) -> Parts:
    """Return the net as an ONNX model, in parts that share memory with the net's arrays where possible.

    The input keeps its name and has the shape (batch, channels, height, width) with any batch size. Each layer becomes
    a tensor with the layer's name, and the outputs are those of the network. All tensors are float32.

    Args:
        network: The net.
        ranges: Value ranges; convolutions and products that read such a value use 8-bit integers (ONNX's QDQ form).
    """
    writer = _Writer(network, ranges or {})
    for layer in network.layers:
        writer.layer(layer)
    opsets = [helper.make_opsetid("", OPSET)]
    if any(node.domain == DOMAIN for node in writer.nodes):
        opsets.append(helper.make_opsetid(DOMAIN, 1))
    nodes = GraphProto(node=writer.nodes, name=network.name or "network")
    ends = GraphProto(
        input=[_value(network.input, network.input_shape)],
        output=[_value(name, network.shape_of(name)) for name in network.outputs],
    )
    constants = (part for name, array in writer.constants for part in _constant(name, array))
    # In the order of field numbers, like the library.
    parts = (_bytes(nodes), *constants, _bytes(ends))
    head = ModelProto(ir_version=IR_VERSION, producer_name="featx")
    graph_ = protobuf_wire.field(ModelProto.GRAPH_FIELD_NUMBER, parts)
    return (_bytes(head), *graph_, _bytes(ModelProto(opset_import=opsets)))


def _constant(name: str, array: NDArray[Any]) -> Parts:
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    head = TensorProto(dims=array.shape, data_type=kind, name=name)
    values = protobuf_wire.field(TensorProto.RAW_DATA_FIELD_NUMBER, (array.reshape(-1).view(np.uint8).data,))
    return protobuf_wire.field(GraphProto.INITIALIZER_FIELD_NUMBER, (_bytes(head), *values))


def _bytes(message: GraphProto | ModelProto | TensorProto) -> bytes:
    return bytes(message.SerializeToString(deterministic=True))


class _Writer:
    """Collects the nodes and constants of a model."""

    def __init__(self, network: Network, ranges: Ranges) -> None:
        self.ranges = ranges
        self.layers = network.by_name()
        self.nodes: list[NodeProto] = []
        self.constants: list[tuple[str, NDArray[Any]]] = []
        self.quantized: dict[str, str] = {}
        self.shapes = {network.input: network.input_shape} | {layer.name: layer.shape for layer in network.layers}

    def layer(self, layer: Layer) -> None:
        """Add a layer; its last node writes the tensor with the layer's name."""
        name, inputs = layer.name, layer.inputs
        match layer.operation:
            case operations.Convolution() as operation:
                self._convolution(layer, operation)
            case operations.FullyConnected(weight=weight, bias=bias):
                vector, *weights = self._operands(layer, weight, bias)
                if len(self.shapes[inputs[0]]) > 1:
                    vector = self.node("Flatten", [vector], f"{name}/flat", axis=1)
                self.node("Gemm", [vector, *weights], name, transB=1)
            case operations.Affine(scale=scale, shift=shift):
                factor, term = self._weights(
                    name, scale=_along_channels(scale, layer.shape), shift=_along_channels(shift, layer.shape)
                )
                self.node("Add", [self.node("Mul", [inputs[0], factor], f"{name}/scaled"), term], name)
            case operations.Pooling() as operation:
                self._pooling(layer, operation)
            case operations.Eltwise() as operation:
                self._eltwise(layer, operation)
            case operations.Power() as operation:
                self._power(layer, operation)
            case operations.Normalize() as operation:
                self._normalize(layer, operation)
            case operations.Reshape():
                shape = self.constant(f"{name}/shape", np.array([0, *layer.shape], np.int64))
                self.node("Reshape", [inputs[0], shape], name)
            case operations.Clip(low=low, high=high):
                self.node("Clip", [inputs[0], *self._scalars(name, low=low, high=high)], name)
            case operations.Priors(boxes=boxes, variances=variances):
                self.node("Priors", self._weights(name, boxes=boxes, variances=variances), name, domain=DOMAIN)
            case operations.PriorBox() | operations.DetectionOutput() as operation:
                kind = type(operation).__name__
                self.node(kind, inputs, name, domain=DOMAIN, **_attributes(operation))
            case operation:
                kind, attributes = _simple(operation)
                self.node(kind, inputs, name, **attributes)

    def node(self, kind: str, inputs: Sequence[str], output: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output, and return the output's name."""
        node = helper.make_node(kind, list(inputs), [output], name=output, domain=domain or None, **attributes)
        self.nodes.append(node)
        return output

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Add a constant, and return its name."""
        self.constants.append((name, np.ascontiguousarray(array)))
        return name

    def _weights(self, layer: str, **arrays: Array) -> list[str]:
        return [
            self.constant(f"{layer}/{name}", array.astype(np.float32, copy=False)) for name, array in arrays.items()
        ]

    def _scalars(self, layer: str, **values: ArrayLike) -> list[str]:
        return self._weights(layer, **{name: np.array(value, np.float32) for name, value in values.items()})

    def _operands(self, layer: Layer, weight: Array, bias: Array) -> list[str]:
        """Return input, weight and bias; the first two are quantized if the input's range is known."""
        name, source = layer.name, layer.inputs[0]
        if source not in self.ranges:
            return [source, *self._weights(name, weight=weight, bias=bias)]
        integers, scales = quantize_weight(weight)
        quantized = self.constant(f"{name}/weight", integers)
        scale = self.constant(f"{name}/scale", scales)
        zeros = self.constant(f"{name}/zero", np.zeros(len(scales), np.int8))
        restored = self.node("DequantizeLinear", [quantized, scale, zeros], f"{name}/restored", axis=0)
        return [self._quantized(source), restored, *self._weights(name, bias=bias)]

    def _quantized(self, name: str) -> str:
        """Return a value after quantization, which happens where it is computed, not after layers that pass it on."""
        if name in self.quantized:
            return self.quantized[name]
        layer = self.layers.get(name)
        if layer and preserves_values(layer.operation):
            inputs = tuple(self._quantized(source) for source in layer.inputs)
            copy = dataclasses.replace(layer, name=f"{name}/rounded", inputs=inputs)
            self.layer(copy)
            self.shapes[copy.name], self.quantized[name] = layer.shape, copy.name
            return copy.name
        step, zero = scale_and_zero_point(self.ranges[name])
        (scale,) = self._scalars(name, step=step)
        offset = self.constant(f"{name}/offset", np.array(zero, np.uint8))
        integers = self.node("QuantizeLinear", [name, scale, offset], f"{name}/integers")
        self.quantized[name] = self.node("DequantizeLinear", [integers, scale, offset], f"{name}/rounded")
        self.shapes[self.quantized[name]] = self.shapes[name]
        return self.quantized[name]

    def _convolution(self, layer: Layer, operation: operations.Convolution) -> None:
        self.node(
            "Conv",
            self._operands(layer, operation.weight, operation.bias),
            layer.name,
            kernel_shape=operation.weight.shape[2:],
            strides=operation.stride,
            pads=[*operation.pad, *operation.pad],
            dilations=operation.dilation,
            group=operation.groups,
        )

    def _pooling(self, layer: Layer, operation: operations.Pooling) -> None:
        sizes = self.shapes[layer.inputs[0]][1:]
        last = [(count - 1) * stride for count, stride in zip(layer.shape[1:], operation.stride, strict=True)]
        after = [
            max(0, start + kernel - size - pad)
            for start, kernel, size, pad in zip(last, operation.kernel, sizes, operation.pad, strict=True)
        ]
        settings: dict[str, Any] = {
            "kernel_shape": operation.kernel,
            "strides": operation.stride,
            "pads": [*operation.pad, *after],
        }
        if operation.method == "max":
            self.node("MaxPool", layer.inputs, layer.name, **settings)
            return
        # PoolingLayer::Forward_cpu: a mean excludes what lies beyond the padding.
        areas = np.outer(*(_covered(*axis) for axis in zip(layer.shape[1:], *_windows(operation), sizes, strict=True)))
        whole = int(np.prod(operation.kernel))
        plain = bool((areas == whole).all())
        mean = layer.name if plain else f"{layer.name}/mean"
        self.node("AveragePool", layer.inputs, mean, count_include_pad=1, **settings)
        if not plain:
            (factor,) = self._weights(layer.name, factor=whole / areas[None, None])
            self.node("Mul", [mean, factor], layer.name)

    def _eltwise(self, layer: Layer, operation: operations.Eltwise) -> None:
        name, terms = layer.name, list(layer.inputs)
        for index, factor in enumerate(operation.factors):
            (scalar,) = self._scalars(name, **{f"factor{index}": factor})
            terms[index] = self.node("Mul", [terms[index], scalar], f"{name}/term{index}")
        if len(terms) == 1:
            self.node("Identity", terms, name)
            return
        so_far = terms[0]
        for index, term in enumerate(terms[1:], 1):
            output = name if index == len(terms) - 1 else f"{name}/first{index + 1}"
            so_far = self.node(_ELTWISE[operation.method], [so_far, term], output)

    def _power(self, layer: Layer, operation: operations.Power) -> None:
        """(shift + scale * x) ** power, without steps that change nothing."""
        steps = [("Mul", "scale", operation.scale, 1), ("Add", "shift", operation.shift, 0)]
        steps = [step for step in [*steps, ("Pow", "power", operation.power, 1)] if step[2] != step[3]]
        value = layer.inputs[0]
        for index, (kind, what, number, _) in enumerate(steps):
            (scalar,) = self._scalars(layer.name, **{what: number})
            output = layer.name if index == len(steps) - 1 else f"{layer.name}/{kind}"
            value = self.node(kind, [value, scalar], output)
        if not steps:
            self.node("Identity", [value], layer.name)

    def _normalize(self, layer: Layer, operation: operations.Normalize) -> None:
        """In the form that OpenVINO recognizes as one operation (NormalizeL2Fusion)."""
        name = layer.name
        two, epsilon = self._scalars(name, two=2, epsilon=operation.epsilon)
        axes = self.constant(f"{name}/axes", np.array([1], np.int64))
        (scale,) = self._weights(name, scale=_along_channels(operation.scale, layer.shape))
        squares = self.node("Pow", [layer.inputs[0], two], f"{name}/squares")
        total = self.node("ReduceSum", [squares, axes], f"{name}/total", keepdims=1)
        norm = self.node("Sqrt", [self.node("Add", [total, epsilon], f"{name}/positive")], f"{name}/norm")
        self.node("Mul", [self.node("Div", [layer.inputs[0], norm], f"{name}/unit"), scale], name)


def _simple(operation: Operation) -> tuple[str, dict[str, Any]]:
    """Return the operator and attributes of an operation that is one operator without weights."""
    match operation:
        case operations.Identity():
            return "Identity", {}
        case operations.Relu(slope=slope):
            return ("LeakyRelu", {"alpha": slope}) if slope else ("Relu", {})
        case operations.Sigmoid():
            return "Sigmoid", {}
        case operations.Concat(axis=axis):
            return "Concat", {"axis": axis}
        case operations.Softmax(axis=axis):
            return "Softmax", {"axis": axis}
        case operations.Flatten():
            return "Flatten", {"axis": 1}
        case operations.Permute(order=order):
            return "Transpose", {"perm": order}
        case operations.LocalResponse(size=size, alpha=alpha, beta=beta, k=k):
            return "LRN", {"size": size, "alpha": alpha, "beta": beta, "bias": k}
    raise NotImplementedError(type(operation).__name__)


def _attributes(operation: Operation) -> dict[str, Any]:
    """Return the settings of a Featx operation, without empty ones, whose type ONNX can't express."""
    values = {field.name: getattr(operation, field.name) for field in dataclasses.fields(operation)}
    return {name: value for name, value in values.items() if value is not None and value != ()}


def _value(name: str, shape: Shape) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])


def _along_channels(values: Array, shape: Shape) -> Array:
    return values.reshape(1, -1, *[1] * (len(shape) - 1))


def _windows(operation: operations.Pooling) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    return operation.kernel, operation.stride, operation.pad


def _covered(count: int, kernel: int, stride: int, pad: int, size: int) -> NDArray[np.int64]:
    """Return how much of each window along an axis lies within the map and its padding."""
    starts = np.arange(count) * stride
    covered: NDArray[np.int64] = np.minimum(starts + kernel, size + 2 * pad) - starts
    return covered
