"""Nets of Caffe's files, ready for executors, and network files as bytes."""

from __future__ import annotations

from featx_job.nets.caffe import caffe_reader
from featx_job.nets.load import Loaded, ready_detector, ready_extractor
from featx_job.nets.network_file import Engine


def load_detector(prototxt: str, caffemodel: bytes, engine: Engine = "bigdl") -> Loaded:
    """An SSD, ready for an engine."""
    return ready_detector(caffe_reader.read(prototxt, caffemodel), engine)


def load_extractor(prototxt: str, caffemodel: bytes, layer: str, engine: Engine = "bigdl") -> Loaded:
    """A net, ready for an engine, up to the layer that is the feature."""
    return ready_extractor(caffe_reader.read(prototxt, caffemodel), layer, engine)


def network_file(net: Loaded) -> bytes:
    """The network file for arithmetic in floats."""
    return b"".join(net.parts())
