"""Caffe nets prepared in one call, and their network files as single byte strings."""

from __future__ import annotations

from featx_job.nets.caffe import caffe_reader
from featx_job.nets.network_file import Engine
from featx_job.nets.prepare import PreparedNet, prepare_detector, prepare_extractor


def load_detector(prototxt: str, caffemodel: bytes, engine: Engine = "bigdl") -> PreparedNet:
    """Load and prepare an SSD from Caffe files."""
    return prepare_detector(caffe_reader.read(prototxt, caffemodel), engine)


def load_extractor(prototxt: str, caffemodel: bytes, layer: str, engine: Engine = "bigdl") -> PreparedNet:
    """Load and prepare a Caffe net up to its feature layer."""
    return prepare_extractor(caffe_reader.read(prototxt, caffemodel), layer, engine)


def file_of(net: PreparedNet) -> bytes:
    """Return the network file of a net in float32."""
    return b"".join(net.float_file())
