"""Parses Caffe's two files into messages, and weights into arrays, with errors that name the position.

The prototxt defines the net; from the caffemodel only the weights are used, by layer name, as in Caffe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from google.protobuf import message, text_format

from featx_job.nets import protobuf_wire
from featx_job.nets.caffe import caffe_pb2
from featx_job.nets.errors import ModelError
from featx_job.nets.graph.operations import Array
from featx_job.nets.protobuf_wire import Part

Weights = dict[str, list[Array]]

# V2 names of V1's layer types (Caffe's UpgradeV1LayerType).
V1_TYPES = {
    "ABSVAL": "AbsVal",
    "ACCURACY": "Accuracy",
    "ARGMAX": "ArgMax",
    "CONCAT": "Concat",
    "CONTRASTIVE_LOSS": "ContrastiveLoss",
    "CONVOLUTION": "Convolution",
    "DATA": "Data",
    "DECONVOLUTION": "Deconvolution",
    "DROPOUT": "Dropout",
    "DUMMY_DATA": "DummyData",
    "ELTWISE": "Eltwise",
    "EUCLIDEAN_LOSS": "EuclideanLoss",
    "EXP": "Exp",
    "FLATTEN": "Flatten",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "HINGE_LOSS": "HingeLoss",
    "IMAGE_DATA": "ImageData",
    "INFOGAIN_LOSS": "InfogainLoss",
    "INNER_PRODUCT": "InnerProduct",
    "LRN": "LRN",
    "MEMORY_DATA": "MemoryData",
    "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss",
    "POOLING": "Pooling",
    "POWER": "Power",
    "RELU": "ReLU",
    "SIGMOID": "Sigmoid",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "SILENCE": "Silence",
    "SLICE": "Slice",
    "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "SPLIT": "Split",
    "TANH": "TanH",
    "WINDOW_DATA": "WindowData",
}
LAYERS: dict[int, type[caffe_pb2.V1LayerParameter | caffe_pb2.LayerParameter]] = {
    caffe_pb2.NetParameter.LAYERS_FIELD_NUMBER: caffe_pb2.V1LayerParameter,
    caffe_pb2.NetParameter.LAYER_FIELD_NUMBER: caffe_pb2.LayerParameter,
}
_SHARED = ("concat", "convolution", "inner_product", "lrn", "pooling", "power", "eltwise", "relu", "softmax")


def read_prototxt(text: str) -> caffe_pb2.NetParameter:
    """Return the net that a prototxt describes; training settings are ignored.

    Raises:
        ModelError: The text can't be parsed; the message has the line, and nothing of its text.
    """
    net = caffe_pb2.NetParameter()
    try:
        text_format.Parse(text, net, allow_unknown_field=True)
    except text_format.ParseError as error:
        where = f" (line {error.GetLine()}, column {error.GetColumn()})" if error.GetLine() else ""
        raise ModelError(f"the prototxt is not a Caffe prototxt{where}") from None
    except (ValueError, RecursionError):
        raise ModelError("the prototxt is not a Caffe prototxt") from None
    return net


def read_caffemodel(data: Part) -> Weights:
    """Return the weights of each layer by name, float32, in the order of the layer's blobs.

    Arrays are views of the bytes wherever these are float32.

    Raises:
        ModelError: The bytes are not a caffemodel, or a blob's values do not match its shape.
    """
    weights: Weights = {}
    layers = 0
    try:
        for field in protobuf_wire.fields(memoryview(data)):
            kind = LAYERS.get(field.number)
            if kind is None or field.wire != protobuf_wire.LENGTH:
                continue
            layers += 1
            inner = list(protobuf_wire.fields(field.value))
            blobs = [part.value for part in inner if part.number == kind.BLOBS_FIELD_NUMBER]
            rest = (part.whole for part in inner if part.number != kind.BLOBS_FIELD_NUMBER)
            layer = kind.FromString(b"".join(rest))
            if blobs:
                weights[layer.name] = [_array(layer.name, blob) for blob in blobs]
    except (message.DecodeError, ValueError):  # including UnicodeDecodeError
        raise ModelError("the weights are not a caffemodel, or the file is truncated") from None
    if not layers:
        raise ModelError(f"the weights ({len(data)} bytes) contain no layers: is this the caffemodel?")
    return weights


def _array(layer: str, data: memoryview) -> Array:
    fields = list(protobuf_wire.fields(data))
    numbers = caffe_pb2.BlobProto.DATA_FIELD_NUMBER
    blob = caffe_pb2.BlobProto.FromString(b"".join(field.whole for field in fields if field.number != numbers))
    pieces = [np.frombuffer(field.value, "<f4") for field in fields if field.number == numbers]
    values = pieces[0] if len(pieces) == 1 else np.concatenate([*pieces, np.array(blob.double_data, np.float32)])
    dims = tuple(blob.shape.dim) if blob.HasField("shape") else (blob.num, blob.channels, blob.height, blob.width)
    if values.size != int(np.prod(dims)):
        raise ModelError(f"layer {layer}: a blob of shape {dims} has {values.size} values: the file is damaged")
    return values.reshape(dims)


def layers_for_inference(net: caffe_pb2.NetParameter) -> tuple[list[caffe_pb2.LayerParameter], list[str]]:
    """Return the layers of both dialects that are used for inference, and notes for the model's owner.

    If a file mixes V1 `layers` with V2 `layer`, Caffe (UpgradeV1Net) and BigDL's loader lose the V2 ones; here both are
    read, the V2 ones last.
    """
    upgraded = [_upgraded(layer) for layer in net.layers]
    notes = []
    if upgraded and net.layer:
        names = ", ".join(layer.name for layer in net.layer)
        notes.append(f"the prototxt mixes `layers` and `layer`: Caffe drops the latter ({names}), Featx reads both")
    return [layer for layer in [*upgraded, *net.layer] if _in_test_phase(layer)], notes


def _upgraded(old: caffe_pb2.V1LayerParameter) -> caffe_pb2.LayerParameter:
    kind = caffe_pb2.V1LayerParameter.LayerType.Name(old.type)
    new = caffe_pb2.LayerParameter(name=old.name, type=V1_TYPES.get(kind, kind), bottom=old.bottom, top=old.top)
    new.include.extend(old.include)
    new.exclude.extend(old.exclude)
    for name in _SHARED:
        field = f"{name}_param"
        if old.HasField(field):  # type: ignore[arg-type]
            getattr(new, field).CopyFrom(getattr(old, field))
    return new


def _in_test_phase(layer: caffe_pb2.LayerParameter) -> bool:
    def phases(rules: Iterable[caffe_pb2.NetStateRule]) -> Iterator[int]:
        return (rule.phase for rule in rules if rule.HasField("phase"))

    if caffe_pb2.TEST in phases(layer.exclude):
        return False
    included = list(phases(layer.include))
    return not included or caffe_pb2.TEST in included
