"""Nets of Caffe's files, prepared in one call, and their network files in one piece."""

from __future__ import annotations

from featx_job.nets.caffe import caffe_reader
from featx_job.nets.network_file import Engine
from featx_job.nets.prepare import PreparedNet, prepare_detector, prepare_extractor


def load_detector(prototxt: str, caffemodel: bytes, engine: Engine = "bigdl") -> PreparedNet:
    """Return an SSD of Caffe's files."""
    return prepare_detector(caffe_reader.read(prototxt, caffemodel), engine)


def load_extractor(prototxt: str, caffemodel: bytes, layer: str, engine: Engine = "bigdl") -> PreparedNet:
    """Return a net of Caffe's files up to its feature layer."""
    return prepare_extractor(caffe_reader.read(prototxt, caffemodel), layer, engine)


def file_of(net: PreparedNet) -> bytes:
    """Return the network file of a net in floats."""
    return b"".join(net.float_file())
