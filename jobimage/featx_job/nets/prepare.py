"""Prepares nets for executors: from a graph as it was read to the network file, for detectors and for extractors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from featx_job.nets import bigdl
from featx_job.nets.errors import ModelError
from featx_job.nets.graph.fold import fold
from featx_job.nets.graph.network import Network
from featx_job.nets.graph.operations import Shape
from featx_job.nets.network_file import Engine, detector_file, extractor_file
from featx_job.nets.protobuf_wire import Parts
from featx_job.nets.quantization import ObservedRanges, Ranges, value_ranges, with_all_outputs
from featx_job.nets.ssd.detection import SingleShot, split


@dataclass(frozen=True, eq=False)
class PreparedNet:
    """A net that is ready for executors.

    Attributes:
        network: The graph that the engine runs; for a detector, all but the end.
        detector: The whole detector, or None for an extractor.
        engine: The engine that it is prepared for.
        input_shape: (3, height, width).
        length: Length of the feature (extractor), or number of boxes before suppression (detector).
        notes: Remarks for the model's owner.
    """

    network: Network
    detector: SingleShot | None
    engine: Engine
    input_shape: Shape
    length: int
    notes: tuple[str, ...]

    def float_file(self) -> Parts:
        """Return the network file for floating-point arithmetic."""
        return self._file(self.network, self.engine)

    def watched_file(self) -> Parts:
        """Return the network file with all values as outputs. OpenVINO runs it, whatever the engine of the run."""
        return self._file(with_all_outputs(self.network), "openvino", own_outputs=len(self.network.outputs))

    def int8_file(self, observed: ObservedRanges) -> Parts:
        """Return the network file for 8-bit integer arithmetic, given the ranges of values observed on images."""
        return self._file(self.network, self.engine, value_ranges(self.network, observed))

    def _file(self, network: Network, engine: Engine, ranges: Ranges | None = None, own_outputs: int = 0) -> Parts:
        if self.detector is None:
            return extractor_file(network, engine, ranges, own_outputs)
        return detector_file(replace(self.detector, trunk=network), engine, ranges, own_outputs)


def prepare_detector(network: Network, engine: Engine = "bigdl", precision: str = "f32") -> PreparedNet:
    """Prepare an SSD.

    Args:
        network: The whole net, as it was read.
        engine: The engine of the executors.
        precision: The precision that it will run in.

    Raises:
        ModelError: The net can't be used.
    """
    detector = split(fold(network))
    if engine == "bigdl":
        detector = replace(detector, trunk=bigdl.rewrite(detector.trunk, integers=precision == "int8"))
    return PreparedNet(detector.trunk, detector, engine, network.input_shape, len(detector.priors), network.notes)


def prepare_extractor(
    whole: Network, layer: str, engine: Engine = "bigdl", precision: str = "f32", bits_layer: str | None = None
) -> PreparedNet:
    """Prepare a net up to the feature layer.

    Args:
        whole: The whole net, as it was read.
        layer: Name of the layer whose output, flattened, is the feature.
        engine: The engine of the executors.
        precision: The precision that it will run in.
        bits_layer: Name of the layer that bits are derived from, if it is another one; it becomes a second output.

    Raises:
        ModelError: The net can't be used.
    """
    outputs = [whole.up_to_layer(name).outputs[0] for name in (layer, bits_layer) if name]
    network = fold(whole.ending_at(tuple(outputs)))
    network = replace(network, outputs=tuple(dict.fromkeys(network.outputs)))
    if network.input in network.outputs:
        raise ModelError(f"layer {layer} returns the image unchanged: there is nothing to compute")
    if engine == "bigdl":
        network = bigdl.rewrite(network, integers=precision == "int8")
    length = int(np.prod(network.shape_of(network.outputs[0])))
    return PreparedNet(network, None, engine, network.input_shape, length, network.notes)
