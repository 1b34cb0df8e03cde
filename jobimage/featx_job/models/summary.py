"""What a net is, in a few numbers, for people who choose one."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from featx_api.vision_model import TENSORS, Graph, Tensor

from featx_job.nets.graph import operations
from featx_job.nets.graph.network import Layer, Network

NAME_LIMIT = 128
_GIGA = 1e9


def summary(network: Network) -> Graph:
    """Return the summary of a net as it was read."""
    names = network.outputs[:TENSORS]
    return Graph(
        name=network.name[:NAME_LIMIT],
        layers=len(network.layers),
        parameters=sum(map(_parameters, network.layers)),
        gflop_per_image=round(sum(_operations(layer) for layer in network.layers) / _GIGA, 4),
        inputs=[_tensor(network.input, network)],
        outputs=[_tensor(name, network) for name in names],
    )


def _tensor(name: str, network: Network) -> Tensor:
    return Tensor(name=name[:NAME_LIMIT], shape=list(network.shape_of(name)))


def _parameters(layer: Layer) -> int:
    if isinstance(layer.operation, operations.Priors):
        return 0  # boxes, which nobody has trained
    values = (getattr(layer.operation, field.name) for field in dataclasses.fields(layer.operation))
    return sum(value.size for value in values if isinstance(value, np.ndarray))


def _operations(layer: Layer) -> int:
    """Multiplications and additions of the layers that take nearly all of the time."""
    match layer.operation:
        case operations.Convolution(weight=weight):
            return 2 * math.prod(layer.shape) * math.prod(weight.shape[1:])
        case operations.FullyConnected(weight=weight):
            return 2 * math.prod(weight.shape)
    return 0
