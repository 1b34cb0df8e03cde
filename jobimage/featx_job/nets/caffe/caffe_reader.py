"""Caffe's prototxt and caffemodel -> `Network`: the meaning of each layer type, and output shapes.

Layers are read in file order. A blob may be written several times (in-place layers); its name refers to the layer that
wrote it last, as in Caffe.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from featx_job.nets.caffe import caffe_pb2
from featx_job.nets.caffe.blobs import Weights, layers_for_inference, read_caffemodel, read_prototxt
from featx_job.nets.errors import ModelError
from featx_job.nets.graph import operations, shapes
from featx_job.nets.graph.network import Layer, Network
from featx_job.nets.graph.operations import Array, Operation, Shape
from featx_job.nets.protobuf_wire import Part

INPUTS = {"Input", "Data", "ImageData", "DummyData", "MemoryData", "HDF5Data", "WindowData", "AnnotatedData"}
TRAINING_ONLY = {
    "Accuracy",
    "ContrastiveLoss",
    "DetectionEvaluate",
    "EuclideanLoss",
    "HDF5Output",
    "HingeLoss",
    "InfogainLoss",
    "MultiBoxLoss",
    "MultinomialLogisticLoss",
    "SigmoidCrossEntropyLoss",
    "Silence",
    "SmoothL1Loss",
    "SoftmaxWithLoss",
}


MOST_PRIORS = 256  # of a PriorBox; each pair of aspect ratios is compared
MOST_CHANNELS = 1 << 16  # across which LRN sums


class Context(NamedTuple):
    """A layer's message, its weights, and the shapes of its inputs."""

    message: caffe_pb2.LayerParameter
    blobs: list[Array]
    inputs: tuple[Shape, ...]

    def blob(self, index: int, size: int, what: str) -> Array:
        """Return a blob's values as float32.

        Raises:
            ModelError: The blob is missing from the weights, or its size differs from the prototxt's.
        """
        name = self.message.name
        if index >= len(self.blobs):
            raise ModelError(
                f"layer {name} ({self.message.type}): the weights have no {what} for it; do they belong to this net?"
            )
        if self.blobs[index].size != size:
            shape = self.blobs[index].shape
            raise ModelError(f"layer {name}: the prototxt requires {size} values of {what}, the weights have {shape}")
        return self.blobs[index]


def read(prototxt: str, caffemodel: Part) -> Network:
    """Return the net of a Caffe model.

    Args:
        prototxt: The architecture's text, in either dialect or both.
        caffemodel: The bytes of the weights.

    Raises:
        ModelError: Either file can't be parsed, a layer type is unknown, or weights and architecture do not match.
    """
    net = read_prototxt(prototxt)
    weights = read_caffemodel(caffemodel)
    messages, notes = layers_for_inference(net)
    name, shape = _input(net, messages)
    writers: dict[str, str] = {name: name}
    shape_of: dict[str, Shape] = {name: shape}
    layers: list[Layer] = []
    for message in messages:
        if message.type in INPUTS or message.type in TRAINING_ONLY:
            continue
        inputs = tuple(_writer_of(message, bottom, writers) for bottom in message.bottom)
        if message.name in shape_of:
            raise ModelError(f"two layers, or a layer and the input, have the name {message.name!r}")
        layer = _layer(message, weights, inputs, tuple(shape_of[source] for source in inputs), shape)
        layers.append(layer)
        shape_of[layer.name] = layer.shape
        writers |= dict.fromkeys(message.top, layer.name)
    if not layers:
        raise ModelError("the prototxt has no layers")
    read = {source for layer in layers for source in layer.inputs}
    outputs = tuple(layer.name for layer in layers if layer.name not in read)
    return Network(net.name, name, shape, tuple(layers), outputs, tuple(notes + _notes_on_blobs(messages)))


def _notes_on_blobs(messages: list[caffe_pb2.LayerParameter]) -> list[str]:
    """Return notes on blobs that several layers write: Caffe's name refers to the last one, Featx's to the layer."""
    writers: dict[str, list[str]] = {}
    for message in messages:
        for top in message.top:
            writers.setdefault(top, []).append(message.name)
    return [
        f"layer {top} differs from the final content of Caffe's blob {top}: {', '.join(names[1:])} modify it in place"
        for top, names in writers.items()
        if names[0] == top and len(names) > 1
    ]


def _input(net: caffe_pb2.NetParameter, messages: list[caffe_pb2.LayerParameter]) -> tuple[str, Shape]:
    layer = next((message for message in messages if message.type in INPUTS and message.top), None)
    if net.input:
        dims = tuple(net.input_shape[0].dim) if net.input_shape else tuple(net.input_dim[:4])
        name = net.input[0]
    elif layer is not None:
        dims = tuple(layer.input_param.shape[0].dim) if layer.input_param.shape else ()
        name = layer.top[0]
    else:
        raise ModelError("the prototxt declares no input (`input` with `input_shape`, or an Input layer)")
    if len(dims) != 4 or dims[1] != 3 or min(dims[2:]) < 1:
        raise ModelError(
            f"the prototxt's input {name!r} has the shape {dims}; an image must have (n, 3, height, width)"
        )
    shapes.check_size(f"the prototxt's input {name!r}", tuple(dims[1:]))
    return name, tuple(int(size) for size in dims[1:])


def _writer_of(message: caffe_pb2.LayerParameter, bottom: str, writers: dict[str, str]) -> str:
    if bottom not in writers:
        raise ModelError(f"layer {message.name} ({message.type}) reads {bottom!r}, but no earlier layer writes it")
    return writers[bottom]


def _layer(
    message: caffe_pb2.LayerParameter,
    weights: Weights,
    inputs: tuple[str, ...],
    input_shapes: tuple[Shape, ...],
    net_input: Shape,
) -> Layer:
    read_operation = READERS.get(message.type)
    if read_operation is None:
        raise ModelError(
            f"layer {message.name} has the unknown type {message.type!r}; supported are {', '.join(sorted(READERS))}"
        )
    if not input_shapes:
        raise ModelError(f"layer {message.name} ({message.type}) has no input")
    operation = read_operation(Context(message, weights.get(message.name, []), input_shapes))
    _check_numbers(message.name, operation)
    shape = shapes.output_shape(message.name, operation, input_shapes, net_input)
    return Layer(message.name, operation, inputs, shape)


def _check_numbers(name: str, operation: Operation) -> None:
    for field in dataclasses.fields(operation):
        value = getattr(operation, field.name)
        numeric = isinstance(value, float | tuple | np.ndarray)
        if numeric and not np.isfinite(value).all():
            raise ModelError(f"layer {name}: {field.name} is not a finite number, or contains a value that is not")


def _pair(message: caffe_pb2.LayerParameter, both: list[int], high: int, wide: int, default: int) -> tuple[int, int]:
    """Return (vertical, horizontal) of a setting that can be written in three ways in Caffe."""
    if high or wide:
        return high, wide
    if len(both) > 2:
        raise ModelError(f"layer {message.name}: {both} has more than two spatial axes")
    return (both[0], both[-1]) if both else (default, default)


def _convolution(context: Context) -> Operation:
    settings, channels = context.message.convolution_param, context.inputs[0][0]
    kernel = _pair(context.message, list(settings.kernel_size), settings.kernel_h, settings.kernel_w, 0)
    group = settings.group or channels + 1  # 0 divides nothing
    if channels % group or settings.num_output % group or min(kernel) < 1:
        name = context.message.name
        raise ModelError(
            f"layer {name}: kernel {kernel}, group {settings.group} do not match {channels} input channels"
        )
    shape = (settings.num_output, channels // settings.group, *kernel)
    weight = context.blob(0, math.prod(shape), "weights").reshape(shape)
    bias = context.blob(1, shape[0], "bias").ravel() if settings.bias_term else np.zeros(shape[0], np.float32)
    return operations.Convolution(
        weight,
        bias,
        stride=_pair(context.message, list(settings.stride), settings.stride_h, settings.stride_w, 1),
        pad=_pair(context.message, list(settings.pad), settings.pad_h, settings.pad_w, 0),
        dilation=_pair(context.message, list(settings.dilation), 0, 0, 1),
        groups=settings.group,
    )


def _inner_product(context: Context) -> Operation:
    settings = context.message.inner_product_param
    if settings.axis != 1:
        raise ModelError(f"layer {context.message.name}: InnerProduct with axis {settings.axis}; only 1 is supported")
    units, inputs = settings.num_output, math.prod(context.inputs[0])
    weight = context.blob(0, units * inputs, "weights")
    weight = weight.reshape(inputs, units).T.copy() if settings.transpose else weight.reshape(units, inputs)
    bias = context.blob(1, units, "bias").ravel() if settings.bias_term else np.zeros(units, np.float32)
    return operations.FullyConnected(weight, bias)


def _batch_norm(context: Context) -> Operation:
    """Caffe keeps sums: mean and variance are divided by the third blob (BatchNormLayer::Forward_cpu)."""
    channels = context.inputs[0][0]
    mean, variance = context.blob(0, channels, "mean").ravel(), context.blob(1, channels, "variance").ravel()
    count = float(context.blob(2, 1, "moving average factor").ravel()[0])
    factor = 1.0 / count if count else 0.0
    with np.errstate(invalid="ignore", divide="ignore"):  # a negative variance is refused as no finite number
        scale = 1.0 / np.sqrt(variance.astype(np.float64) * factor + context.message.batch_norm_param.eps)
    return operations.Affine(scale.astype(np.float32), (-mean.astype(np.float64) * factor * scale).astype(np.float32))


def _scale(context: Context) -> Operation:
    settings, channels = context.message.scale_param, context.inputs[0][0]
    if settings.axis != 1 or settings.num_axes != 1 or len(context.inputs) != 1:
        raise ModelError(f"layer {context.message.name}: Scale is only supported for one input, along channels")
    shift = context.blob(1, channels, "bias").ravel() if settings.bias_term else np.zeros(channels, np.float32)
    return operations.Affine(context.blob(0, channels, "scale").ravel(), shift)


def _pooling(context: Context) -> Operation:
    settings, (_, height, width) = context.message.pooling_param, _map(context)
    methods = {settings.MAX: "max", settings.AVE: "average"}
    if settings.pool not in methods:
        raise ModelError(
            f"layer {context.message.name}: stochastic pooling is for training; only max and average are supported"
        )
    method = methods[settings.pool]
    if settings.global_pooling:
        return operations.Pooling(method, (height, width), (1, 1))  # type: ignore[arg-type]
    size = [settings.kernel_size] if settings.HasField("kernel_size") else []
    return operations.Pooling(
        method,  # type: ignore[arg-type]
        kernel=_pair(context.message, size, settings.kernel_h, settings.kernel_w, 0),
        stride=_pair(context.message, [settings.stride], settings.stride_h, settings.stride_w, 1),
        pad=_pair(context.message, [settings.pad], settings.pad_h, settings.pad_w, 0),
        round_up=settings.round_mode == settings.CEIL,
    )


def _map(context: Context) -> Shape:
    if len(context.inputs[0]) != 3:
        layer = f"layer {context.message.name} ({context.message.type})"
        raise ModelError(f"{layer} needs a map, but its input has the shape {context.inputs[0]}")
    return context.inputs[0]


def _eltwise(context: Context) -> Operation:
    settings, name = context.message.eltwise_param, context.message.name
    if settings.coeff and (settings.operation != settings.SUM or len(settings.coeff) != len(context.inputs)):
        raise ModelError(f"layer {name}: Eltwise takes one coefficient per input, and only for SUM")
    factors = tuple(settings.coeff) if any(factor != 1 for factor in settings.coeff) else ()
    methods = {settings.SUM: "sum", settings.PROD: "product", settings.MAX: "max"}
    return operations.Eltwise(methods[settings.operation], factors)  # type: ignore[arg-type]


def _concat(context: Context) -> Operation:
    settings, axes = context.message.concat_param, len(context.inputs[0]) + 1
    axis = settings.axis if settings.HasField("axis") else settings.concat_dim
    return operations.Concat(axis + axes if axis < 0 else axis)


def _lrn(context: Context) -> Operation:
    settings = context.message.lrn_param
    if settings.norm_region != settings.ACROSS_CHANNELS:
        raise ModelError(f"layer {context.message.name}: LRN within a channel is not supported, only across channels")
    if settings.local_size % 2 == 0 or settings.local_size > MOST_CHANNELS or settings.k <= 0:
        raise ModelError(
            f"layer {context.message.name}: LRN needs an odd local_size up to {MOST_CHANNELS} and a k above 0"
        )
    return operations.LocalResponse(settings.local_size, settings.alpha, settings.beta, settings.k)


def _normalize(context: Context) -> Operation:
    settings, channels = context.message.norm_param, _map(context)[0]
    if settings.across_spatial:
        raise ModelError(f"layer {context.message.name}: Normalize across_spatial is not supported")
    scale = context.blob(0, 1 if settings.channel_shared else channels, "scale").ravel()
    return operations.Normalize(np.broadcast_to(scale, (channels,)).copy(), settings.eps)


def _prior_box(context: Context) -> Operation:
    settings = context.message.prior_box_param
    steps = (settings.step_h or settings.step, settings.step_w or settings.step)
    if max(map(len, (settings.min_size, settings.max_size, settings.aspect_ratio))) > MOST_PRIORS:
        raise ModelError(f"layer {context.message.name}: PriorBox takes at most {MOST_PRIORS} sizes and aspect ratios")
    if not settings.min_size:
        raise ModelError(f"layer {context.message.name}: PriorBox needs a min_size")
    if settings.max_size and len(settings.max_size) != len(settings.min_size):
        raise ModelError(f"layer {context.message.name}: PriorBox needs one max_size per min_size, or none")
    if not all(0 < size < math.inf for size in (*settings.min_size, *settings.max_size, *settings.aspect_ratio)):
        raise ModelError(f"layer {context.message.name}: PriorBox needs sizes and aspect ratios above 0")
    if len(settings.variance) not in (0, 1, 4):
        raise ModelError(f"layer {context.message.name}: PriorBox needs 1 or 4 variances, not {len(settings.variance)}")
    image = (settings.img_h or settings.img_size, settings.img_w or settings.img_size)
    return operations.PriorBox(
        tuple(settings.min_size),
        tuple(settings.max_size),
        tuple(settings.aspect_ratio),
        settings.flip,
        settings.clip,
        tuple(settings.variance) or (0.1,),
        steps if all(steps) else None,
        settings.offset,
        image if all(image) else None,
    )


def _permute(context: Context) -> Operation:
    order, name = tuple(context.message.permute_param.order), context.message.name
    axes = len(context.inputs[0]) + 1
    # Caffe appends the omitted axes, in their order.
    order += tuple(axis for axis in range(axes) if axis not in order)
    if sorted(order) != list(range(axes)) or order[0] != 0:
        raise ModelError(f"layer {name}: Permute to {list(order)} of {axes} axes; the batch must stay the first")
    return operations.Permute(order)


def _softmax(context: Context) -> Operation:
    axis, axes = context.message.softmax_param.axis, len(context.inputs[0]) + 1
    return operations.Softmax(axis + axes if axis < 0 else axis)


def _flatten(context: Context) -> Operation:
    settings, axes = context.message.flatten_param, len(context.inputs[0]) + 1
    if settings.axis != 1 or settings.end_axis not in (-1, axes - 1):
        raise ModelError(f"layer {context.message.name}: Flatten is only supported from axis 1 to the last one")
    return operations.Flatten()


def _reshape(context: Context) -> Operation:
    settings = context.message.reshape_param
    if settings.axis not in (0, 1) or settings.num_axes != -1:
        raise ModelError(f"layer {context.message.name}: Reshape is only supported from axis 0 or 1 to the last one")
    dims = tuple(settings.shape.dim)
    # From axis 1 on, a 0 refers to the axis at its position after the batch, as if the batch were included.
    return operations.Reshape((0, *dims) if settings.axis == 1 else dims)


def _detection_output(context: Context) -> Operation:
    settings, name = context.message.detection_output_param, context.message.name
    if settings.code_type != caffe_pb2.PriorBoxParameter.CENTER_SIZE or not settings.share_location:
        raise ModelError(f"layer {name}: boxes are only supported as CENTER_SIZE with share_location")
    if settings.num_classes < 1 or settings.background_label_id >= settings.num_classes:
        background = settings.background_label_id
        raise ModelError(f"layer {name}: background_label_id {background} is not one of {settings.num_classes} classes")
    if settings.nms_param.eta != 1:
        raise ModelError(f"layer {name}: adaptive suppression (eta {settings.nms_param.eta}) is not supported")
    return operations.DetectionOutput(
        settings.num_classes,
        settings.background_label_id,
        settings.nms_param.nms_threshold,
        settings.nms_param.top_k if settings.nms_param.HasField("top_k") else -1,
        settings.keep_top_k,
        settings.confidence_threshold,
        settings.variance_encoded_in_target,
    )


READERS: dict[str, Callable[[Context], Operation]] = {
    "BatchNorm": _batch_norm,
    "Concat": _concat,
    "Convolution": _convolution,
    "DetectionOutput": _detection_output,
    "Dropout": lambda context: operations.Identity(),
    "Eltwise": _eltwise,
    "Flatten": _flatten,
    "InnerProduct": _inner_product,
    "LRN": _lrn,
    "Normalize": _normalize,
    "Permute": _permute,
    "Pooling": _pooling,
    "Power": lambda context: operations.Power(
        context.message.power_param.power, context.message.power_param.scale, context.message.power_param.shift
    ),
    "PriorBox": _prior_box,
    "ReLU": lambda context: operations.Relu(context.message.relu_param.negative_slope),
    "Reshape": _reshape,
    "Scale": _scale,
    "Sigmoid": lambda context: operations.Sigmoid(),
    "Softmax": _softmax,
    "Split": lambda context: operations.Identity(),
}
