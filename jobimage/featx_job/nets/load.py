"""From a model to the network file, in one call for each of the two roles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from featx_job.nets import bigdl
from featx_job.nets.caffe import caffe_reader
from featx_job.nets.errors import ModelError
from featx_job.nets.graph.fold import fold
from featx_job.nets.graph.network import Network
from featx_job.nets.graph.operations import Shape
from featx_job.nets.network_file import Engine, detector_parts, extractor_parts
from featx_job.nets.protobuf_wire import Parts
from featx_job.nets.quantization import Ranges, Seen, settled, watched
from featx_job.nets.ssd.detection import SingleShot, split


@dataclass(frozen=True, eq=False)
class Loaded:
    """A net that is ready for executors.

    Attributes:
        network: What is computed: of a detector, all but the end.
        detector: The whole of a detector, or None for an extractor.
        engine: What it was made ready for.
        input_shape: (3, height, width).
        length: Numbers in the feature (extractor), or boxes before suppression (detector).
        notes: What the owner of the model should know.
    """

    network: Network
    detector: SingleShot | None
    engine: Engine
    input_shape: Shape
    length: int
    notes: tuple[str, ...]

    @cached_property
    def data(self) -> bytes:
        """Returns the network file for arithmetic in floats, whole."""
        return b"".join(self.parts())

    def parts(self) -> Parts:
        """Returns the network file for arithmetic in floats."""
        return self._parts(self.network, self.engine)

    def watched(self) -> Parts:
        """Returns the network file whose outputs are all values; it is looked at by OpenVINO, whatever the engine."""
        return self._parts(watched(self.network), "openvino", own_outputs=len(self.network.outputs))

    def quantized(self, seen: Seen) -> Parts:
        """Returns the network file for arithmetic in 8-bit integers, from what was seen of the values."""
        return self._parts(self.network, self.engine, settled(self.network, seen))

    def _parts(self, network: Network, engine: Engine, ranges: Ranges | None = None, own_outputs: int = 0) -> Parts:
        if self.detector is None:
            return extractor_parts(network, engine, ranges, own_outputs)
        return detector_parts(replace(self.detector, trunk=network), engine, ranges, own_outputs)


def load_detector(prototxt: str, caffemodel: bytes, engine: Engine = "bigdl") -> Loaded:
    """Imports an SSD from Caffe's files; see `ready_detector`."""
    return ready_detector(caffe_reader.read(prototxt, caffemodel), engine)


def load_extractor(prototxt: str, caffemodel: bytes, layer: str, engine: Engine = "bigdl") -> Loaded:
    """Imports a net from Caffe's files, up to the layer that is the feature; see `ready_extractor`."""
    return ready_extractor(caffe_reader.read(prototxt, caffemodel), layer, engine)


def ready_detector(network: Network, engine: Engine = "bigdl", precision: str = "f32") -> Loaded:
    """Makes an SSD ready.

    Args:
        network: The whole net, as it was read.
        engine: What executors run it on.
        precision: What it is to compute in.

    Raises:
        ModelError: It can't be used; the message says why.
    """
    parts = split(fold(network))
    if engine == "bigdl":
        parts = replace(parts, trunk=bigdl.prepared(parts.trunk, integers=precision == "int8"))
    return Loaded(parts.trunk, parts, engine, network.input_shape, len(parts.priors), network.notes)


def ready_extractor(
    whole: Network, layer: str, engine: Engine = "bigdl", precision: str = "f32", bits_layer: str | None = None
) -> Loaded:
    """Makes a net ready, up to the layer that is the feature.

    Args:
        whole: The whole net, as it was read.
        layer: Name of the layer whose output, flattened, is the feature.
        engine: What executors run it on.
        precision: What it is to compute in.
        bits_layer: Name of the layer that bits are made of, where that is another; it becomes a second output.

    Raises:
        ModelError: It can't be used; the message says why.
    """
    ends = [whole.of_layer(name).outputs[0] for name in (layer, bits_layer) if name]
    network = fold(whole.ending_at(tuple(ends)))
    network = replace(network, outputs=tuple(dict.fromkeys(network.outputs)))
    if network.input in network.outputs:
        raise ModelError(f"layer {layer} hands on the image itself: there is nothing to compute")
    if engine == "bigdl":
        network = bigdl.prepared(network, integers=precision == "int8")
    length = int(np.prod(network.shape_of(network.outputs[0])))
    return Loaded(network, None, engine, network.input_shape, length, network.notes)
