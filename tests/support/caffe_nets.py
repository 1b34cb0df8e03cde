"""Writes Caffe models layer by layer, so that a test can say in a few lines which net it needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from featx_job.nets.caffe import caffe_pb2
from google.protobuf import json_format, text_format
from google.protobuf.message import Message
from numpy.typing import ArrayLike, NDArray


class CaffeNet:
    """A Caffe model in the making, in the V2 dialect.

    Attributes:
        message: The net with its weights in it.
    """

    def __init__(self, *shape: int, name: str = "tiny") -> None:
        """Begins a net whose input `data` has the shape (1, *shape)."""
        self.message = caffe_pb2.NetParameter(name=name)
        self.layer("Input", "data", [], input_param={"shape": [{"dim": [1, *shape]}]})

    def layer(
        self, kind: str, name: str, bottoms: Sequence[str], top: str = "", blobs: Sequence[ArrayLike] = (), **given: Any
    ) -> str:
        """Adds a layer.

        Args:
            kind: Caffe's layer type.
            name: The layer's name.
            bottoms: Blobs that it reads.
            top: Blob that it writes; the layer's name where empty.
            blobs: Its weights.
            **given: Further fields of LayerParameter, `convolution_param={...}` for example.

        Returns:
            The blob that it writes.
        """
        layer = self.message.layer.add(name=name, type=kind, bottom=bottoms, top=[top or name])
        for values in blobs:
            _fill(layer.blobs.add(), np.asarray(values, np.float32))
        # Not as arguments of `add`: that leaves out a 0 within a message, and OpenCV insists on some.
        json_format.ParseDict(given, layer)
        return top or name

    def prototxt(self) -> str:
        """Returns the architecture without weights."""
        bare = caffe_pb2.NetParameter(**_fields_but(self.message, "layer"))
        for layer in self.message.layer:
            bare.layer.add(**_fields_but(layer, "blobs"))
        return text_format.MessageToString(bare)

    def caffemodel(self) -> bytes:
        """Returns the weights' file."""
        return self.message.SerializeToString(deterministic=True)

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Writes NAME.prototxt and NAME.caffemodel, and returns their paths."""
        prototxt, caffemodel = folder / f"{name}.prototxt", folder / f"{name}.caffemodel"
        prototxt.write_text(self.prototxt())
        caffemodel.write_bytes(self.caffemodel())
        return prototxt, caffemodel


def _fields_but(message: Message, name: str) -> dict[str, Any]:
    return {field.name: value for field, value in message.ListFields() if field.name != name}


def _fill(blob: caffe_pb2.BlobProto, values: NDArray[np.float32]) -> None:
    """Puts values into a blob as protobuf's packed bytes: a list of them would take gigabytes for VGG16's layers."""
    blob.shape.dim.extend(values.shape)
    data = np.ascontiguousarray(values, "<f4").tobytes()
    blob.MergeFromString(_DATA_FIELD + _varint(len(data)) + data)


# The field's number, and 2 for "length-delimited" (protobuf's encoding).
_DATA_FIELD = bytes([caffe_pb2.BlobProto.DATA_FIELD_NUMBER << 3 | 2])


def _varint(number: int) -> bytes:
    groups = [number >> shift & 0x7F for shift in range(0, max(number.bit_length(), 1), 7)]
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])
