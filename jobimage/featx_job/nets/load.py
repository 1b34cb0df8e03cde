"""From a model's two files to the network file, in one call for each of the two roles."""

from __future__ import annotations

from typing import NamedTuple

from featx_job.nets import caffe
from featx_job.nets.detection import split
from featx_job.nets.fold import fold
from featx_job.nets.graph import Shape
from featx_job.nets.network_file import detector_bytes, extractor_bytes


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


def load_detector(prototxt: str, caffemodel: bytes) -> Loaded:
    """Imports an SSD.

    Raises:
        ModelError: It can't be used; the message says why.
    """
    network = caffe.read(prototxt, caffemodel)
    detector = split(fold(network))
    return Loaded(detector_bytes(detector), network.input_shape, len(detector.priors), network.notes)


def load_extractor(prototxt: str, caffemodel: bytes, layer: str) -> Loaded:
    """Imports a net up to the layer that is the feature.

    Raises:
        ModelError: It can't be used; the message says why.
    """
    network = caffe.output_layer(caffe.read(prototxt, caffemodel), layer)
    folded = fold(network)
    length = 1
    for size in folded.shape_of(folded.outputs[0]):
        length *= size
    return Loaded(extractor_bytes(folded), network.input_shape, length, network.notes)
