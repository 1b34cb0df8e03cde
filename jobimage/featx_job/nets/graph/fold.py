"""Takes out what inference does not need, and folds BatchNorm and Scale into the convolution or product before them.

Exact but for rounding: (W x + b) * s + t = (s W) x + (s b + t). A mere shift behind a sum becomes part of one of its
terms. What can't be folded, such as a BatchNorm that follows a sum, stays as an `Affine`; two in a row become one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from featx_job.nets.graph.network import Layer, Network
from featx_job.nets.graph.operations import (
    Affine,
    Array,
    Convolution,
    Eltwise,
    Flatten,
    FullyConnected,
    Identity,
    Operation,
    Reshape,
)


def fold(network: Network) -> Network:
    """Returns an equivalent net without identities, in which no affine layer follows a layer that it can be part of.

    An output that was folded goes by the name of the layer that it is now part of.
    """
    return _into_terms(_without_affine(_without_identities(network)))


def _without_identities(network: Network) -> Network:
    stands_for: dict[str, str] = {}
    kept = []
    for layer in network.layers:
        inputs = tuple(stands_for.get(name, name) for name in layer.inputs)
        if _passes_on(layer, network):
            stands_for[layer.name] = inputs[0]
        else:
            kept.append(replace(layer, inputs=inputs))
    outputs = tuple(stands_for.get(name, name) for name in network.outputs)
    return replace(network, layers=tuple(kept), outputs=outputs)


def _passes_on(layer: Layer, network: Network) -> bool:
    if isinstance(layer.operation, Flatten | Reshape):
        return layer.shape == network.shape_of(layer.inputs[0])
    return isinstance(layer.operation, Identity)


def _without_affine(network: Network) -> Network:
    folded: dict[str, Layer] = {}
    stands_for: dict[str, str] = {}
    consumers = network.consumers()
    for layer in network.layers:
        inputs = tuple(stands_for.get(name, name) for name in layer.inputs)
        if not inputs:
            folded[layer.name] = layer
            continue
        before = folded.get(inputs[0])
        alone = len(consumers[layer.inputs[0]]) == 1 and layer.inputs[0] not in network.outputs
        if isinstance(layer.operation, Affine) and before is not None and alone:
            joined = _joined(before.operation, layer.operation)
            if joined is not None:
                folded[before.name] = replace(before, operation=joined)
                stands_for[layer.name] = before.name
                continue
        folded[layer.name] = replace(layer, inputs=inputs)
    outputs = tuple(stands_for.get(name, name) for name in network.outputs)
    return replace(network, layers=tuple(folded.values()), outputs=outputs)


def _into_terms(network: Network) -> Network:
    """Adds what is added to a sum to one of its terms, a convolution that nothing else reads."""
    layers = dict(network.by_name())
    consumers = network.consumers()
    stands_for: dict[str, str] = {}

    def alone(name: str) -> bool:
        return len(consumers[name]) == 1 and name not in network.outputs

    for layer in network.layers:
        affine, total = layer.operation, layers.get(layer.inputs[0]) if layer.inputs else None
        if not isinstance(affine, Affine) or (affine.scale != 1).any() or total is None or not alone(total.name):
            continue
        if total.operation != Eltwise("sum"):
            continue
        for name in total.inputs:
            joined = _joined(layers[name].operation, affine) if name in layers and alone(name) else None
            if joined is not None:
                layers[name] = replace(layers[name], operation=joined)
                stands_for[layer.name] = total.name
                del layers[layer.name]
                break
    kept = [
        replace(layer, inputs=tuple(stands_for.get(name, name) for name in layer.inputs)) for layer in layers.values()
    ]
    outputs = tuple(stands_for.get(name, name) for name in network.outputs)
    return replace(network, layers=tuple(kept), outputs=outputs)


def _joined(before: Operation, affine: Affine) -> Operation | None:
    match before:
        case Convolution(weight=weight, bias=bias):
            scaled = _scaled(weight, affine.scale)
            return replace(before, weight=scaled, bias=_moved(bias, affine))
        case FullyConnected(weight=weight, bias=bias):
            return FullyConnected(_scaled(weight, affine.scale), _moved(bias, affine))
        case Affine(scale=scale, shift=shift):
            return Affine(_moved(scale, Affine(affine.scale, np.zeros_like(affine.shift))), _moved(shift, affine))
    return None


def _scaled(weight: Array, scale: Array) -> Array:
    shape = (-1, *[1] * (weight.ndim - 1))
    return (weight.astype(np.float64) * scale.astype(np.float64).reshape(shape)).astype(np.float32)


def _moved(values: Array, affine: Affine) -> Array:
    return (values.astype(np.float64) * affine.scale + affine.shift).astype(np.float32)
