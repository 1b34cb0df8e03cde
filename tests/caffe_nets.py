"""Writes Caffe models layer by layer, so that a test can say in a few lines which net it needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from featx_job.nets import caffe_pb2
from google.protobuf import json_format, text_format
from numpy.typing import ArrayLike


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
        made = [caffe_pb2.BlobProto(**_blob(values)) for values in blobs]
        layer = self.message.layer.add(name=name, type=kind, bottom=bottoms, top=[top or name], blobs=made)
        # Not as arguments of `add`: that leaves out a 0 within a message, and OpenCV insists on some.
        json_format.ParseDict(given, layer)
        return top or name

    def prototxt(self) -> str:
        """Returns the architecture without weights."""
        bare = caffe_pb2.NetParameter()
        bare.CopyFrom(self.message)
        for layer in bare.layer:
            layer.ClearField("blobs")
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


def _blob(values: ArrayLike) -> dict[str, Any]:
    array = np.asarray(values, np.float32)
    return {"shape": {"dim": list(array.shape)}, "data": array.ravel().tolist()}
