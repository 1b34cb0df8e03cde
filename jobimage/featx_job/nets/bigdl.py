"""What the engine bigdl can run, prepared and checked on the driver: other nets are refused before executors start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from featx_job.nets.errors import ModelError
from featx_job.nets.graph import operations
from featx_job.nets.graph.fold import fold
from featx_job.nets.graph.network import Layer, Network


def prepared(network: Network, *, integers: bool = False) -> Network:
    """Returns the net in operations that dev.featx.nets.bigdl makes a BigDL graph of.

    MKL-DNN, as BigDL 2.4 calls it, has no ReLU6. min(max(x, l), h) is written with two ReLUs, exact but for rounding:
    h - relu(h - x) is min(x, h), and relu(that - l) + l is the rest. The first sign change becomes part of the
    convolution before it, the second is a pass that does its ReLU itself.

    Args:
        network: The net.
        integers: Whether it is to run in 8-bit integers. There a convolution's outputs can't be below 0 or above the
            largest value that has an integer, so limits behind it cost nothing (dev.featx.nets.bigdl.Quantization).

    Raises:
        ModelError: It can't; the message names the layer.
    """
    kept = {layer.name for layer in network.layers if integers and _saturates(network, layer)}
    layers = [each for layer in network.layers for each in ([layer] if layer.name in kept else _without_clip(layer))]
    rewritten = fold(replace(network, layers=tuple(layers)))
    for layer in rewritten.layers:
        reason = None if layer.name in kept else _reason(rewritten, layer)
        if reason:
            kind = type(layer.operation).__name__
            raise ModelError(f"layer {layer.name} ({kind}) can't run on the engine bigdl: {reason}")
    return rewritten


def _saturates(network: Network, layer: Layer) -> bool:
    """Returns whether limits stand between convolutions, which then hand on integers."""
    clip, layers, consumers = layer.operation, network.by_name(), network.consumers()
    if not isinstance(clip, operations.Clip) or clip.low != 0 or layer.name in network.outputs:
        return False
    (source,) = layer.inputs
    made_by_one = source in layers and isinstance(layers[source].operation, operations.Convolution)
    readers = consumers[layer.name]
    return (
        made_by_one
        and len(consumers[source]) == 1
        and all(isinstance(r.operation, operations.Convolution) for r in readers)
    )


def _without_clip(layer: Layer) -> list[Layer]:
    clip = layer.operation
    if not isinstance(clip, operations.Clip) or len(layer.shape) not in (1, 3):
        return [layer]
    name, channels = layer.name, layer.shape[0]
    steps: list[tuple[str, operations.Operation]] = [
        (f"{name}/below", _affine(channels, -1, clip.high)),
        (f"{name}/relu", operations.Relu()),
        (f"{name}/above", _affine(channels, -1, clip.high - clip.low)),
        (f"{name}/clipped" if clip.low else name, operations.Relu()),
    ]
    if clip.low:
        steps.append((name, _affine(channels, 1, clip.low)))
    inputs, made = layer.inputs, []
    for step, operation in steps:
        made.append(Layer(step, operation, inputs, layer.shape))
        inputs = (step,)
    return made


def _affine(channels: int, scale: float, shift: float) -> operations.Affine:
    return operations.Affine(np.full(channels, scale, np.float32), np.full(channels, shift, np.float32))


def _reason(network: Network, layer: Layer) -> str | None:
    axes = len(network.shape_of(layer.inputs[0])) + 1 if layer.inputs else 0
    match layer.operation:
        case operations.PriorBox() | operations.Priors() | operations.DetectionOutput():
            return "it is known at the end of a detector only"
        case operations.Softmax(axis=axis) if axis != 1 or axes not in (2, 4):
            return f"softmax along axis {axis} of {axes}; known is axis 1 of a map or a vector"
        case operations.Convolution(dilation=(high, wide), groups=groups) if high != wide and groups > 1:
            return f"groups together with the dilation {high}x{wide}"
        case operations.Affine() if axes not in (2, 4):
            return f"scale and shift of {axes} axes; known are maps and vectors"
        case operations.Clip():
            return f"limits of {axes} axes; known are maps and vectors"
    return None
