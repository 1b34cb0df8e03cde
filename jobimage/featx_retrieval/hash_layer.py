"""Appends a hash layer to an extractor, so that it computes the bits itself, from the same forward as the feature."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from featx_job.nets.errors import ModelError
from featx_job.nets.graph.network import Layer, Network
from featx_job.nets.graph.operations import FullyConnected
from featx_job.nets.onnx.onnx_writer import to_onnx

from featx_retrieval.baselines import Hash

NAME = "deepbit"


def appended(network: Network, layer: str, hashing: Hash) -> bytes:
    """Returns the net as ONNX, up to the feature, with the layer `deepbit` behind it: a bit is set where it is above 0.

    Args:
        network: The extractor, as it was read.
        layer: Name of the layer whose output is the feature that the hash was fitted to.
        hashing: Weight (bits, d) and bias (bits,).

    Raises:
        ModelError: No such layer, it has a layer `deepbit` already, or its output is not what the hash was fitted to.
    """
    found = network.up_to_layer(layer)
    if any(each.name == NAME for each in network.layers):
        raise ModelError(f"the net has a layer {NAME!r} already: fit to the net without it")
    bits, length = hashing.weight.shape
    if int(np.prod(found.shape_of(layer))) != length:
        raise ModelError(f"layer {layer} has {found.shape_of(layer)} numbers, but the hash was fitted to {length}")
    product = FullyConnected(hashing.weight.astype(np.float32), hashing.bias.astype(np.float32))
    added = Layer(NAME, product, (layer,), (bits,))
    return to_onnx(replace(found, layers=(*found.layers, added), outputs=(layer, NAME)))
