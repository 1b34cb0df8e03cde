"""OpenVINO from Python on the ONNX of a network file, behind the same calls as the Java engine."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class OpenVino:
    """Runs network files for the engine openvino, in float32."""

    def __init__(self) -> None:
        self._core = openvino.Core()

    def forward(self, network: bytes, pictures: Floats, batch: int = 8) -> list[Floats]:
        """Returns each output of the net, (n, numbers of a picture), for pictures (n, channels, height, width)."""
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2}
        header, model = onnx_of(network)
        compiled = self._core.compile_model(self._core.read_model(model), "CPU", settings)
        parts: list[list[Floats]] = []
        for start in range(0, len(pictures), batch):
            some = pictures[start : start + batch]
            found = compiled(some)
            parts.append([np.array(found[name]).reshape(len(some), -1) for name in header["outputs"]])
        return [np.concatenate(output) for output in zip(*parts, strict=True)]


def onnx_of(network: bytes) -> tuple[dict[str, Any], bytes]:
    """Returns the header of a network file and the ONNX model in it."""
    _, _, length = struct.unpack_from("<8sII", network)
    header = json.loads(network[16 : 16 + length])
    place = header["onnx"]
    start = (16 + length + 63) // 64 * 64 + place["offset"]
    return header, network[start : start + place["length"]]
