"""Removes what inference does not need, and folds BatchNorm and Scale into the convolution or product before them.

Exact except for rounding: (W x + b) * s + t = (s W) x + (s b + t). A plain shift after a sum becomes part of one of its
terms. What can't be folded, such as a BatchNorm after a sum, stays as an `Affine`; two in a row become one.
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
    """Return an equivalent net without identities, with every affine layer folded into the layer before it if possible.

    A folded output takes the name of the layer that it is now part of.
    """
    return _shifts_into_terms(_without_affine(_without_identities(network)))


def _without_identities(network: Network) -> Network:
    renamed: dict[str, str] = {}
    layers = []
    for layer in network.layers:
        inputs = tuple(renamed.get(name, name) for name in layer.inputs)
        if _is_identity(layer, network):
            renamed[layer.name] = inputs[0]
        else:
            layers.append(replace(layer, inputs=inputs))
    outputs = tuple(renamed.get(name, name) for name in network.outputs)
    return replace(network, layers=tuple(layers), outputs=outputs)


def _is_identity(layer: Layer, network: Network) -> bool:
    if isinstance(layer.operation, Flatten | Reshape):
        return layer.shape == network.shape_of(layer.inputs[0])
    return isinstance(layer.operation, Identity)


def _without_affine(network: Network) -> Network:
    folded: dict[str, Layer] = {}
    renamed: dict[str, str] = {}
    consumers = network.consumers()
    for layer in network.layers:
        inputs = tuple(renamed.get(name, name) for name in layer.inputs)
        if not inputs:
            folded[layer.name] = layer
            continue
        before = folded.get(inputs[0])
        only_reader = len(consumers[layer.inputs[0]]) == 1 and layer.inputs[0] not in network.outputs
        if isinstance(layer.operation, Affine) and before is not None and only_reader:
            merged = _folded(before.operation, layer.operation)
            if merged is not None:
                folded[before.name] = replace(before, operation=merged)
                renamed[layer.name] = before.name
                continue
        folded[layer.name] = replace(layer, inputs=inputs)
    outputs = tuple(renamed.get(name, name) for name in network.outputs)
    return replace(network, layers=tuple(folded.values()), outputs=outputs)


def _shifts_into_terms(network: Network) -> Network:
    """Move the shift after a sum into one of its terms, a convolution that nothing else reads."""
    layers = dict(network.by_name())
    consumers = network.consumers()
    renamed: dict[str, str] = {}

    def has_one_reader(name: str) -> bool:
        return len(consumers[name]) == 1 and name not in network.outputs

    for layer in network.layers:
        affine, total = layer.operation, layers.get(layer.inputs[0]) if layer.inputs else None
        if (
            not isinstance(affine, Affine)
            or (affine.scale != 1).any()
            or total is None
            or not has_one_reader(total.name)
        ):
            continue
        if total.operation != Eltwise("sum"):
            continue
        for name in total.inputs:
            merged = _folded(layers[name].operation, affine) if name in layers and has_one_reader(name) else None
            if merged is not None:
                layers[name] = replace(layers[name], operation=merged)
                renamed[layer.name] = total.name
                del layers[layer.name]
                break
    rewired = [
        replace(layer, inputs=tuple(renamed.get(name, name) for name in layer.inputs)) for layer in layers.values()
    ]
    outputs = tuple(renamed.get(name, name) for name in network.outputs)
    return replace(network, layers=tuple(rewired), outputs=outputs)


def _folded(before: Operation, affine: Affine) -> Operation | None:
    match before:
        case Convolution(weight=weight, bias=bias):
            scaled = _scaled(weight, affine.scale)
            return replace(before, weight=scaled, bias=_shifted(bias, affine))
        case FullyConnected(weight=weight, bias=bias):
            return FullyConnected(_scaled(weight, affine.scale), _shifted(bias, affine))
        case Affine(scale=scale, shift=shift):
            return Affine(_shifted(scale, Affine(affine.scale, np.zeros_like(affine.shift))), _shifted(shift, affine))
    return None


def _scaled(weight: Array, scale: Array) -> Array:
    shape = (-1, *[1] * (weight.ndim - 1))
    return (weight.astype(np.float64) * scale.astype(np.float64).reshape(shape)).astype(np.float32)


def _shifted(values: Array, affine: Affine) -> Array:
    return (values.astype(np.float64) * affine.scale + affine.shift).astype(np.float32)
