"""From a model to the network file, in one call for each of the two roles."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from featx_job.nets import bigdl, caffe
from featx_job.nets.detection import split
from featx_job.nets.errors import ModelError
from featx_job.nets.fold import fold
from featx_job.nets.graph import Network, Shape
from featx_job.nets.network_file import Engine, detector_bytes, extractor_bytes


class Loaded(NamedTuple):
    """A net that is ready for executors.

    Attributes:
        data: The network file.
        input_shape: (3, height, width).
        length: Numbers in the feature (extractor), or boxes before suppression (detector).
        notes: What the owner of the model should know.
    """

    data: bytes
    input_shape: Shape
    length: int
    notes: tuple[str, ...]


def load_detector(prototxt: str, caffemodel: bytes, engine: Engine = "bigdl") -> Loaded:
    """Imports an SSD from Caffe's files; see `ready_detector`."""
    return ready_detector(caffe.read(prototxt, caffemodel), engine)


def load_extractor(prototxt: str, caffemodel: bytes, layer: str, engine: Engine = "bigdl") -> Loaded:
    """Imports a net from Caffe's files, up to the layer that is the feature; see `ready_extractor`."""
    return ready_extractor(caffe.read(prototxt, caffemodel), layer, engine)


def ready_detector(network: Network, engine: Engine = "bigdl") -> Loaded:
    """Makes an SSD ready.

    Args:
        network: The whole net, as it was read.
        engine: What executors run it on.

    Raises:
        ModelError: It can't be used; the message says why.
    """
    parts = split(fold(network))
    if engine == "bigdl":
        parts = replace(parts, trunk=bigdl.prepared(parts.trunk))
    return Loaded(detector_bytes(parts, engine), network.input_shape, len(parts.priors), network.notes)


def ready_extractor(whole: Network, layer: str, engine: Engine = "bigdl") -> Loaded:
    """Makes a net ready, up to the layer that is the feature.

    Args:
        whole: The whole net, as it was read.
        layer: Name of the layer whose output, flattened, is the feature.
        engine: What executors run it on.

    Raises:
        ModelError: It can't be used; the message says why.
    """
    network = fold(caffe.output_layer(whole, layer))
    if network.outputs[0] == network.input:
        raise ModelError(f"layer {layer} hands on the picture itself: there is nothing to compute")
    if engine == "bigdl":
        network = bigdl.prepared(network)
    length = int(np.prod(network.shape_of(network.outputs[0])))
    return Loaded(extractor_bytes(network, engine), network.input_shape, length, network.notes)
