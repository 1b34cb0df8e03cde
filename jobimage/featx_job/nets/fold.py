"""Takes out what inference does not need, and folds BatchNorm and Scale into the convolution or product before them.

Exact but for rounding: (W x + b) * s + t = (s W) x + (s b + t). What can't be folded, such as a BatchNorm that follows
a sum, stays as an `Affine`; two in a row become one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from featx_job.nets.graph import Affine, Array, Convolution, FullyConnected, Identity, Layer, Network, Operation


def fold(network: Network) -> Network:
    """Returns an equivalent net without identities, in which no affine layer follows a layer that it can be part of.

    An output that was folded goes by the name of the layer that it is now part of.
    """
    return _without_affine(_without_identities(network))


def _without_identities(network: Network) -> Network:
    stands_for: dict[str, str] = {}
    kept = []
    for layer in network.layers:
        inputs = tuple(stands_for.get(name, name) for name in layer.inputs)
        if isinstance(layer.operation, Identity):
            stands_for[layer.name] = inputs[0]
        else:
            kept.append(replace(layer, inputs=inputs))
    outputs = tuple(stands_for.get(name, name) for name in network.outputs)
    return replace(network, layers=tuple(kept), outputs=outputs)


def _without_affine(network: Network) -> Network:
    folded: dict[str, Layer] = {}
    stands_for: dict[str, str] = {}
    consumers = network.consumers()
    for layer in network.layers:
        inputs = tuple(stands_for.get(name, name) for name in layer.inputs)
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
