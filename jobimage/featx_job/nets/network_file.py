"""Writes the file from which executors load a net: a JSON header, then float32 weights.

Layout: the magic `FEATXNET`, version (uint32), header length (uint32), the header in UTF-8, zeros up to a multiple of
64, then the weights, little-endian, each array at a multiple of 64 bytes from their start. The header lists the layers
in execution order with their settings, and the offset of each array. The same net always gives the same bytes, so a
digest of the file identifies the net. For an engine that reads ONNX, the header has the offset of an ONNX model instead
of layers. Read by dev.featx.nets.NetworkFile.
"""

from __future__ import annotations

import dataclasses
import json
import struct
from typing import Literal

import numpy as np
from featx_api import network_header
from featx_api.network_header import Input, NetworkHeader, OnnxModel
from pydantic.alias_generators import to_camel

from featx_job.nets.graph.network import Layer, Network
from featx_job.nets.graph.operations import Array
from featx_job.nets.onnx.onnx_writer import onnx_parts
from featx_job.nets.protobuf_wire import Part, Parts
from featx_job.nets.quantization import Ranges
from featx_job.nets.ssd.detection import SingleShot

Engine = Literal["bigdl", "openvino"]

MAGIC = b"FEATXNET"
VERSION = 1
ALIGNMENT = 64


class _Weights:
    """Collects arrays and assigns their offsets."""

    def __init__(self) -> None:
        self.chunks: list[Part] = []
        self.size = 0

    def add(self, array: Array) -> network_header.Array:
        flat = np.ascontiguousarray(array, "<f4").reshape(-1)
        return network_header.Array(offset=self._append((flat.view(np.uint8).data,)), shape=array.shape)

    def add_bytes(self, parts: Parts) -> OnnxModel:
        return OnnxModel(offset=self._append(parts), length=sum(map(len, parts)))

    def _append(self, parts: Parts) -> int:
        offset, size = self.size, sum(map(len, parts))
        padding = -size % ALIGNMENT
        self.chunks += [*parts, b"\0" * padding]
        self.size += size + padding
        return offset


def extractor_file(network: Network, engine: Engine, ranges: Ranges | None = None, own_outputs: int = 0) -> Parts:
    """Return the network file of an extractor, in parts that share memory with the net's arrays where possible.

    Args:
        network: The net.
        engine: The engine that runs it.
        ranges: The ranges of its values, for 8-bit integers.
        own_outputs: Number of outputs that are the net's own, if more follow that are only watched.
    """
    weights = _Weights()
    return _file(_header(network, weights, engine, ranges, own_outputs), weights)


def detector_file(detector: SingleShot, engine: Engine, ranges: Ranges | None = None, own_outputs: int = 0) -> Parts:
    """Return the network file of an SSD: its trunk, priors and decoding settings; see `extractor_file`."""
    weights = _Weights()
    header = _header(detector.trunk, weights, engine, ranges, own_outputs)
    detection = network_header.SingleShot(
        **dataclasses.asdict(detector.output),
        scores=detector.scores,
        priors=weights.add(detector.priors),
        variances=weights.add(detector.variances),
    )
    return _file(header.model_copy(update={"detection": detection}), weights)


def _header(
    network: Network, weights: _Weights, engine: Engine, ranges: Ranges | None, own_outputs: int
) -> NetworkHeader:
    for_bigdl = engine == "bigdl"
    return NetworkHeader(
        name=network.name,
        input=Input(name=network.input, shape=network.input_shape),
        outputs=network.outputs,
        output_shapes=tuple(network.shape_of(name) for name in network.outputs),
        own_outputs=own_outputs or None,
        onnx=None if for_bigdl else weights.add_bytes(onnx_parts(network, ranges)),
        ranges=dict(ranges) if for_bigdl and ranges else None,
        layers=tuple(_layer(layer, weights) for layer in network.layers) if for_bigdl else None,
    )


def _layer(layer: Layer, weights: _Weights) -> network_header.Layer:
    settings, arrays = {}, {}
    for field in dataclasses.fields(layer.operation):
        value = getattr(layer.operation, field.name)
        if isinstance(value, np.ndarray):
            arrays[field.name] = weights.add(value)
        else:
            settings[to_camel(field.name)] = value
    return network_header.Layer(
        name=layer.name,
        type=type(layer.operation).__name__,
        inputs=layer.inputs,
        shape=layer.shape,
        settings=settings,
        weights=arrays,
    )


def _file(header: NetworkHeader, weights: _Weights) -> Parts:
    text = json.dumps(header.to_wire(), sort_keys=True, separators=(",", ":")).encode()
    head = MAGIC + struct.pack("<II", VERSION, len(text)) + text
    return (head, b"\0" * (-len(head) % ALIGNMENT), *weights.chunks)
