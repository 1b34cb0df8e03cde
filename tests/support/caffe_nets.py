"""Builds Caffe models layer by layer, so that tests can define a net in a few lines."""

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
    """A Caffe model under construction, in the V2 dialect.

    Attributes:
        message: The net, including its weights.
    """

    def __init__(self, *shape: int, name: str = "tiny") -> None:
        """Starts a net whose input `data` has the shape (1, *shape)."""
        self.message = caffe_pb2.NetParameter(name=name)
        self.layer("Input", "data", [], input_param={"shape": [{"dim": [1, *shape]}]})

    def layer(
        self,
        kind: str,
        name: str,
        bottoms: Sequence[str],
        top: str = "",
        blobs: Sequence[ArrayLike] = (),
        **fields: Any,
    ) -> str:
        """Adds a layer.

        Args:
            kind: Caffe's layer type.
            name: The layer's name.
            bottoms: Input blobs.
            top: Output blob; defaults to the layer's name.
            blobs: The layer's weights.
            **fields: Further fields of LayerParameter, such as `convolution_param={...}`.

        Returns:
            The output blob.
        """
        layer = self.message.layer.add(name=name, type=kind, bottom=bottoms, top=[top or name])
        for values in blobs:
            _fill(layer.blobs.add(), np.asarray(values, np.float32))
        # Not as arguments of `add`, which omits zeros inside messages; OpenCV requires some of them.
        json_format.ParseDict(fields, layer)
        return top or name

    def prototxt(self) -> str:
        """The architecture without weights."""
        bare = caffe_pb2.NetParameter(**_fields_but(self.message, "layer"))
        for layer in self.message.layer:
            bare.layer.add(**_fields_but(layer, "blobs"))
        return text_format.MessageToString(bare)

    def caffemodel(self) -> bytes:
        """The content of the weights file."""
        return self.message.SerializeToString(deterministic=True)

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Writes NAME.prototxt and NAME.caffemodel and returns their paths."""
        prototxt, caffemodel = folder / f"{name}.prototxt", folder / f"{name}.caffemodel"
        prototxt.write_text(self.prototxt())
        caffemodel.write_bytes(self.caffemodel())
        return prototxt, caffemodel


def _fields_but(message: Message, name: str) -> dict[str, Any]:
    return {field.name: value for field, value in message.ListFields() if field.name != name}


def _fill(blob: caffe_pb2.BlobProto, values: NDArray[np.float32]) -> None:
    """Fills a blob with packed protobuf bytes; a list of values would take gigabytes for VGG16's layers."""
    blob.shape.dim.extend(values.shape)
    data = np.ascontiguousarray(values, "<f4").tobytes()
    blob.MergeFromString(_DATA_FIELD + _varint(len(data)) + data)


# The field number and wire type 2, "length-delimited".
_DATA_FIELD = bytes([caffe_pb2.BlobProto.DATA_FIELD_NUMBER << 3 | 2])


def _varint(number: int) -> bytes:
    groups = [number >> shift & 0x7F for shift in range(0, max(number.bit_length(), 1), 7)]
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])
