"""Rewrites a net for the bigdl engine, and refuses what it can't run before executors start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from featx_job.nets.errors import ModelError
from featx_job.nets.graph import operations
from featx_job.nets.graph.fold import fold
from featx_job.nets.graph.network import Layer, Network


def rewrite(network: Network, *, integers: bool = False) -> Network:
    """Return the net in operations that dev.featx.nets.bigdl can turn into a BigDL graph.

    MKL-DNN, as BigDL 2.4 calls it, has no ReLU6. min(max(x, l), h) is expressed by two ReLUs, exact except for
    rounding: min(x, h) is h - relu(h - x), and max(y, l) is relu(y - l) + l. The first sign change becomes part of the
    convolution before it; the second is a pass that includes its ReLU.

    Args:
        network: The net.
        integers: Whether it will run in 8-bit integers. A convolution's outputs can then be neither below 0 nor above
            the largest representable value, so a clip after it is free (dev.featx.nets.bigdl.Quantization).

    Raises:
        ModelError: The engine can't run it; the message names the layer.
    """
    free = {layer.name for layer in network.layers if integers and _saturates(network, layer)}
    layers = [step for layer in network.layers for step in ([layer] if layer.name in free else _without_clip(layer))]
    rewritten = fold(replace(network, layers=tuple(layers)))
    for layer in rewritten.layers:
        reason = None if layer.name in free else _why_not(rewritten, layer)
        if reason:
            kind = type(layer.operation).__name__
            raise ModelError(f"layer {layer.name} ({kind}) can't run on the engine bigdl: {reason}")
    return rewritten


def _saturates(network: Network, layer: Layer) -> bool:
    """Return whether a clip stands between convolutions, which then pass integers on."""
    clip, layers, consumers = layer.operation, network.by_name(), network.consumers()
    if not isinstance(clip, operations.Clip) or clip.low != 0 or layer.name in network.outputs:
        return False
    (source,) = layer.inputs
    after_convolution = source in layers and isinstance(layers[source].operation, operations.Convolution)
    readers = consumers[layer.name]
    return (
        after_convolution
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
    inputs, rewritten = layer.inputs, []
    for step, operation in steps:
        rewritten.append(Layer(step, operation, inputs, layer.shape))
        inputs = (step,)
    return rewritten


def _affine(channels: int, scale: float, shift: float) -> operations.Affine:
    return operations.Affine(np.full(channels, scale, np.float32), np.full(channels, shift, np.float32))


def _why_not(network: Network, layer: Layer) -> str | None:
    axes = len(network.shape_of(layer.inputs[0])) + 1 if layer.inputs else 0
    match layer.operation:
        case operations.PriorBox() | operations.Priors() | operations.DetectionOutput():
            return "it is only supported at the end of a detector"
        case operations.Softmax(axis=axis) if axis != 1 or axes not in (2, 4):
            return f"softmax along axis {axis} of {axes}; only axis 1 of a map or a vector is supported"
        case operations.Convolution(dilation=(high, wide), groups=groups) if high != wide and groups > 1:
            return f"groups with the dilation {high}x{wide} are not supported"
        case operations.Affine() if axes not in (2, 4):
            return f"scale and shift of {axes} axes; only maps and vectors are supported"
        case operations.Clip():
            return f"a clip of {axes} axes; only maps and vectors are supported"
    return None
