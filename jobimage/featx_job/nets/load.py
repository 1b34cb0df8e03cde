"""From a model's two files to the network file, in one call for each of the two roles."""

from __future__ import annotations

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
    """Imports an SSD from Caffe's files.

    Args:
        prototxt: Text of the architecture.
        caffemodel: The weights' bytes.
        engine: What executors run it on.

    Raises:
        ModelError: It can't be used; the message says why.
    """
    return _detector(caffe.read(prototxt, caffemodel), engine)


def load_extractor(prototxt: str, caffemodel: bytes, layer: str, engine: Engine = "bigdl") -> Loaded:
    """Imports a net from Caffe's files, up to the layer that is the feature.

    Args:
        prototxt: Text of the architecture.
        caffemodel: The weights' bytes.
        layer: Name of the layer whose output, flattened, is the feature.
        engine: What executors run it on.

    Raises:
        ModelError: It can't be used; the message says why.
    """
    return _extractor(caffe.read(prototxt, caffemodel), layer, engine)


def _detector(network: Network, engine: Engine) -> Loaded:
    detector = split(fold(network))
    if engine == "bigdl":
        bigdl.check(detector.trunk)
    return Loaded(detector_bytes(detector, engine), network.input_shape, len(detector.priors), network.notes)


def _extractor(whole: Network, layer: str, engine: Engine) -> Loaded:
    network = fold(caffe.output_layer(whole, layer))
    if network.outputs[0] == network.input:
        raise ModelError(f"layer {layer} hands on the picture itself: there is nothing to compute")
    if engine == "bigdl":
        bigdl.check(network)
    length = int(np.prod(network.shape_of(network.outputs[0])))
    return Loaded(extractor_bytes(network, engine), network.input_shape, length, network.notes)
