"""Appends a hash layer to an extractor, so that one forward pass computes both the feature and its bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from featx_job.nets.errors import ModelError
from featx_job.nets.graph.network import Layer, Network
from featx_job.nets.graph.operations import FullyConnected
from featx_job.nets.onnx.onnx_writer import to_onnx

from featx_retrieval.deepbit import Hash

NAME = "deepbit"


def append(network: Network, layer: str, hashing: Hash) -> bytes:
    """The net as ONNX, up to the feature, followed by a layer `deepbit`: a bit is set where its output is above 0.

    Args:
        network: The extractor, as it was read.
        layer: Name of the layer whose output is the feature that the hash was fitted to.
        hashing: Weight (bits, d) and bias (bits,).

    Raises:
        ModelError: There is no such layer, the net already has a layer `deepbit`, or the feature's length differs.
    """
    extractor = network.up_to_layer(layer)
    if any(existing.name == NAME for existing in network.layers):
        raise ModelError(f"the net already has a layer {NAME!r}: fit to the net without it")
    bits, length = hashing.weight.shape
    shape = extractor.shape_of(layer)
    if int(np.prod(shape)) != length:
        raise ModelError(f"layer {layer} has {shape} numbers, but the hash was fitted to {length}")
    product = FullyConnected(hashing.weight.astype(np.float32), hashing.bias.astype(np.float32))
    added = Layer(NAME, product, (layer,), (bits,))
    return to_onnx(replace(extractor, layers=(*extractor.layers, added), outputs=(layer, NAME)))
