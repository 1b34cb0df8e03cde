"""ONNX -> `Network`: models of other frameworks as exporters write them, and detectors with Featx's own SSD end.

Exporters leave arithmetic in the file that does not depend on the image: shapes taken apart and reassembled, scales
multiplied. It is evaluated here with ONNX's reference implementation, so that only layers and their weights remain.
The batch size is 0 in that arithmetic, which means "unchanged" to a Reshape.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from featx_job.nets.errors import ModelError
from featx_job.nets.graph import operations, shapes
from featx_job.nets.graph.network import Layer, Network
from featx_job.nets.graph.operations import Operation, Shape
from featx_job.nets.onnx.onnx_operators import OPERATORS, Node, Operations
from featx_job.nets.protobuf_wire import Part

# Arithmetic of shapes needs none of them: they may never end, or decode what the file holds.
_NEVER_EVALUATED = {"Loop", "Scan", "SequenceMap", "RegexFullMatch", "ImageDecoder"}
# What ONNX's library and indexing raise on a file that does not follow the format.
_MALFORMED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
CHANNELS_FIRST = (0, 3, 1, 2)
_BATCH = 0


def read(data: Part) -> Network:
    """Return the net of an ONNX model.

    A layer has the name of the tensor that it writes.

    Args:
        data: The file's bytes.

    Raises:
        ModelError: The file is not an ONNX model, it uses unsupported operators or settings (the message names the
            node), or its input is not an image of fixed size.
    """
    try:
        return _network(data)
    except _MALFORMED as error:
        kind = type(error).__name__  # its text may quote the file
        raise ModelError(f"the ONNX model is malformed ({kind}); check it with onnx.checker") from None


def _network(data: Part) -> Network:
    model = parse(data)
    reader = _Reader(model)
    for node in model.graph.node:
        reader.node(node)
    if not reader.layers:
        raise ModelError("the ONNX model has no layers")
    outputs = tuple(output.name for output in model.graph.output if output.name in reader.layers)
    if not outputs:
        raise ModelError("no output of the ONNX model depends on the image")
    return Network(model.graph.name, reader.input, reader.input_shape, tuple(reader.layers.values()), outputs)


def parse(data: Part) -> ModelProto:
    """Return the message of an ONNX file.

    Raises:
        ModelError: The file is not an ONNX model, or stores its weights in other files.
    """
    model = ModelProto()
    try:
        model.ParseFromString(data)  # type: ignore[arg-type]  # it accepts views too
    except DecodeError:
        raise ModelError("the file is not an ONNX model; export the net as one, or pass a Caffe net") from None
    if not model.graph.node or not model.opset_import:
        raise ModelError("the file is not an ONNX model, or is empty; export the net again")
    for tensor in _tensors(model.graph):
        if tensor.data_location == TensorProto.EXTERNAL:
            raise ModelError(f"the weights {tensor.name} are in another file: save the model as one file")
    return model


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    """Yield all stored tensors, those of nodes and of their inner graphs too: ONNX would read the files they name."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for attribute in (attribute for node in graph.node for attribute in node.attribute):
        yield from (attribute.t, *attribute.tensors)
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        for inner in (attribute.g, *attribute.graphs):
            yield from _tensors(inner)


def _operators(node: NodeProto) -> Iterator[str]:
    """Yield the operators of a node and of its inner graphs."""
    yield node.op_type
    for attribute in node.attribute:
        for inner in (attribute.g, *attribute.graphs):
            for inner_node in inner.node:
                yield from _operators(inner_node)


def constant(model: ModelProto, name: str) -> NDArray[Any]:
    """Return the numbers of a tensor stored in the file.

    Raises:
        ModelError: No tensor of that name is stored.
    """
    for tensor in model.graph.initializer:
        if tensor.name == name:
            return numpy_helper.to_array(tensor)
    raise ModelError(f"the model has no constant {name}")


class _Reader:
    """Collects layers and constants, node by node."""

    def __init__(self, model: ModelProto) -> None:
        self.opset = {opset.domain: opset.version for opset in model.opset_import}.get("", 1)
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self.layers: dict[str, Layer] = {}
        self._pads: dict[str, tuple[str, NDArray[np.int64]]] = {}
        inputs = [value for value in model.graph.input if value.name not in self.constants]
        if len(inputs) != 1:
            names = ", ".join(value.name for value in inputs)
            raise ModelError(f"the ONNX model has {len(inputs)} inputs ({names}); a net for images must have one")
        self.input = inputs[0].name
        self.input_shape, self._channels_last = _image_shape(inputs[0], model)

    def node(self, node: NodeProto) -> None:
        """Evaluate a node if its inputs are constant; otherwise add its layers."""
        inputs = tuple(name or None for name in node.input)
        if node.op_type == "Shape" and inputs[0] not in self.constants:
            self.constants[node.output[0]] = np.array([_BATCH, *self._shape(node, inputs[0])], np.int64)
        elif node.op_type == "Constant" or (inputs and not node.domain and self._are_constant(inputs)):
            self._compute(node)
        elif node.op_type == "Pad" and not node.domain:
            self._pad(node)
        elif node.op_type == "Transpose" and inputs[0] == self.input and self._channels_last:
            self._add(node.output[0], [operations.Identity()], (self.input,))
        else:
            self._layers(node, inputs)

    def _are_constant(self, inputs: tuple[str | None, ...]) -> bool:
        return all(name is None or name in self.constants for name in inputs)

    def _compute(self, node: NodeProto) -> None:
        refused = _NEVER_EVALUATED.intersection(_operators(node))
        if refused:
            names = ", ".join(sorted(refused))
            raise ModelError(f"node {node.output[0]}: {names} is not supported; export the model without it")
        # The evaluator needs a whole model, which carries the operators' version.
        graph_of_one = helper.make_graph(
            [node],
            "constant",
            [helper.make_value_info(name, onnx.TypeProto()) for name in node.input if name],
            [helper.make_value_info(name, onnx.TypeProto()) for name in node.output],
        )
        model = helper.make_model(graph_of_one, opset_imports=[helper.make_opsetid("", self.opset)])
        try:
            values = ReferenceEvaluator(model).run(None, {name: self.constants[name] for name in node.input if name})
        except Exception as error:
            kind = type(error).__name__  # its text may quote the constants
            raise ModelError(f"node {node.output[0]} ({node.op_type}) can't be evaluated ({kind})") from None
        self.constants |= dict(zip(node.output, map(np.asarray, values), strict=True))

    def _pad(self, node: NodeProto) -> None:
        """Remember padding, which becomes part of the convolution that reads it."""
        settings = _attributes(node)
        pads = settings.get("pads") if "pads" in settings else self.constants.get(node.input[1])
        value = self.constants.get(node.input[2], np.zeros(1)) if len(node.input) > 2 and node.input[2] else 0
        edges = np.asarray(pads if pads is not None else [], np.int64).reshape(2, -1)
        if (
            settings.get("mode", b"constant") != b"constant"
            or np.any(value)
            or edges.shape[1] != 4
            or edges[:, :2].any()
        ):
            raise ModelError(f"node {node.output[0]} (Pad): only zeros around an image are supported")
        self._pads[node.output[0]] = (node.input[0], edges[:, 2:])

    def _layers(self, node: NodeProto, inputs: tuple[str | None, ...]) -> None:
        name, settings = node.output[0], _attributes(node)
        if inputs and inputs[0] in self._pads:
            if node.op_type != "Conv":
                raise ModelError(f"node {name} ({node.op_type}) reads a Pad; that is only supported before a Conv")
            source, edges = self._pads[inputs[0]]
            inputs = (source, *inputs[1:])
            settings["pads"] = np.asarray(settings.get("pads", (0, 0, 0, 0))) + edges.ravel()
        if (node.domain, node.op_type) not in OPERATORS:
            supported = ", ".join(sorted(kind for domain, kind in OPERATORS if not domain))
            raise ModelError(f"node {name}: the operator {node.op_type} is not supported; supported are {supported}")
        read = tuple(source for source in inputs if source is not None and source not in self.constants)
        sizes = tuple(self._shape(node, source) for source in read)
        parsed = Node(name, node.op_type, self.opset, settings, inputs, self.constants, sizes)
        self._add(name, OPERATORS[node.domain, node.op_type](parsed), read)

    def _add(self, name: str, operations: Operations, inputs: tuple[str, ...]) -> None:
        *before, last = operations
        for index, operation in enumerate(before):
            inputs = (self._layer(f"{name}/{index}", operation, inputs),)
        self._layer(name, last, inputs)

    def _layer(self, name: str, operation: Operation, inputs: tuple[str, ...]) -> str:
        self.layers[name] = shapes.layer_with_shape(name, operation, inputs, self._shape_of, self.input_shape)
        return name

    def _shape(self, node: NodeProto, name: str | None) -> Shape:
        if name is None or (name not in self.layers and name != self.input):
            raise ModelError(f"node {node.output[0]} ({node.op_type}) reads {name}, but no earlier node writes it")
        return self._shape_of(name)

    def _shape_of(self, name: str) -> Shape:
        return self.layers[name].shape if name in self.layers else self.input_shape


def _image_shape(value: ValueInfoProto, model: ModelProto) -> tuple[Shape, bool]:
    """Return the input's shape (channels, height, width), and whether the file has channels last."""
    dims = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    if len(dims) != 4 or 0 in dims[1:]:
        shape = [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        raise ModelError(f"the input {value.name} has the shape {shape}; it must be an image of fixed size")
    readers = [node for node in model.graph.node if value.name in node.input]
    if all(node.op_type == "Transpose" and tuple(_attributes(node)["perm"]) == CHANNELS_FIRST for node in readers):
        return (dims[3], dims[1], dims[2]), True
    return (dims[1], dims[2], dims[3]), False


def _attributes(node: NodeProto) -> dict[str, Any]:
    return {
        attribute.name: value.decode()
        if isinstance(value := helper.get_attribute_value(attribute), bytes) and node.domain
        else value
        for attribute in node.attribute
    }
