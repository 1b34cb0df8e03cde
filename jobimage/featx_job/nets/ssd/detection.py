"""Splits an SSD into the net that engines run and the parameters that turn its raw maps into boxes.

Everything after a head's convolution (Permute, Flatten, Concat, Reshape, Softmax, PriorBox, DetectionOutput) is index
arithmetic and a little exp: running it in the engine only costs speed (25 instead of 71 images/s, measured).
The end is recognized by what its layers do, never by their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from featx_job.nets.errors import ModelError
from featx_job.nets.graph import operations
from featx_job.nets.graph.network import Layer, Network
from featx_job.nets.graph.operations import Array
from featx_job.nets.ssd.priors import prior_boxes

Scores = Literal["softmax", "sigmoid", "none"]


@dataclass(frozen=True, eq=False)
class SingleShot:
    """An SSD whose end is separated from its trunk.

    Attributes:
        trunk: The net up to the heads; its outputs are the location maps, then the confidence maps, in prior order.
        priors: (boxes, 4) float32: corners x0, y0, x1, y1, relative to the input.
        variances: (4,) float32.
        scores: The function that turns confidence maps into scores.
        output: The last layer's settings.
    """

    trunk: Network
    priors: Array
    variances: Array
    scores: Scores
    output: operations.DetectionOutput


def split(network: Network) -> SingleShot:
    """Return an SSD with its end separated from its trunk.

    Raises:
        ModelError: The net does not end in a DetectionOutput with inputs as SSDs compute them.
    """
    layers = network.by_name()
    last = next((layer for layer in network.layers if isinstance(layer.operation, operations.DetectionOutput)), None)
    if last is None or not isinstance(last.operation, operations.DetectionOutput):
        ends = ", ".join(network.outputs)
        raise ModelError(f"the detector is not an SSD: it has no DetectionOutput layer (it ends in {ends})")
    if len(last.inputs) != 3:
        raise ModelError(f"layer {last.name} (DetectionOutput) reads {len(last.inputs)} layers instead of 3")
    locations = heads(network, last.inputs[0])
    scores, confidence = _scores(layers, last.inputs[1], last.operation.classes)
    confidences = heads(network, confidence)
    boxes = _parts(layers, last.inputs[2])
    priors, variances = _priors(network, layers, boxes)
    _check(network, last.operation, locations, confidences, len(priors))
    trunk = network.ending_at((*locations, *confidences))
    return SingleShot(trunk, priors, variances, scores, last.operation)


def heads(network: Network, name: str) -> list[str]:
    """Return the maps that are permuted, flattened and concatenated into one layer, in prior order.

    Args:
        network: The net.
        name: The layer that holds all boxes, or all scores.

    Raises:
        ModelError: The layer does not consist of maps with channels last.
    """
    layers, maps = network.by_name(), []
    for part in _parts(layers, _skip(layers, name, operations.Flatten, operations.Reshape)):
        below = _skip(layers, part, operations.Flatten, operations.Reshape)
        if below in layers and layers[below].operation == operations.Permute((0, 2, 3, 1)):
            maps.append(layers[below].inputs[0])
        elif below in layers and layers[below].shape[1:] == (1, 1):
            maps.append(below)  # a single location, for which exporters omit the permutation
        else:
            raise ModelError(f"layer {below} feeds DetectionOutput but is not a Permute to (0, 2, 3, 1)")
    return maps


def _parts(layers: Mapping[str, Layer], name: str) -> list[str]:
    layer = layers[name]
    return list(layer.inputs) if isinstance(layer.operation, operations.Concat) else [name]


def _skip(layers: Mapping[str, Layer], name: str, *kinds: type) -> str:
    while name in layers and isinstance(layers[name].operation, kinds):
        name = layers[name].inputs[0]
    return name


def _scores(layers: Mapping[str, Layer], name: str, classes: int) -> tuple[Scores, str]:
    below = _skip(layers, name, operations.Flatten, operations.Reshape)
    operation = layers[below].operation
    if isinstance(operation, operations.Softmax):
        shape = layers[below].shape
        if operation.axis != len(shape) or shape[-1] != classes:
            raise ModelError(
                f"layer {below}: the softmax of {shape} along axis {operation.axis} is not over {classes} classes"
            )
        return "softmax", layers[below].inputs[0]
    if isinstance(operation, operations.Sigmoid):
        return "sigmoid", layers[below].inputs[0]
    return "none", below


def _priors(network: Network, layers: Mapping[str, Layer], names: list[str]) -> tuple[Array, Array]:
    boxes, variances = [], set()
    for name in names:
        match layers[name].operation:
            case operations.PriorBox() as operation:
                height, width = network.shape_of(layers[name].inputs[0])[1:]
                boxes.append(prior_boxes(operation, height, width, *network.input_shape[1:]))
                variances.add(operation.variances)
            case operations.Priors() as operation:
                boxes.append(operation.boxes)
                variances.add(tuple(operation.variances.tolist()))
            case _:
                raise ModelError(f"layer {name} feeds DetectionOutput's boxes but is not a PriorBox")
    if len(variances) != 1:
        raise ModelError(f"default boxes with different variances {sorted(variances)} are not supported")
    (values,) = variances
    return np.concatenate(boxes), np.resize(np.array(values, np.float32), 4)


def _check(
    network: Network, output: operations.DetectionOutput, locations: list[str], confidences: list[str], priors: int
) -> None:
    boxes = sum(int(np.prod(network.shape_of(name))) for name in locations) // 4
    scores = sum(int(np.prod(network.shape_of(name))) for name in confidences) // max(output.classes, 1)
    if not boxes == scores == priors:
        raise ModelError(f"the SSD's heads do not match: {boxes} boxes, {scores} scores, {priors} priors")
