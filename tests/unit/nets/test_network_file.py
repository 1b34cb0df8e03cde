"""The network file: the same net gives the same bytes, and the header describes them."""

from __future__ import annotations

import json
import struct
from typing import Any, get_args, get_type_hints

import numpy as np
from featx_api import network_header
from featx_job.nets.caffe import caffe_reader
from featx_job.nets.graph import operations
from featx_job.nets.graph.fold import fold
from featx_job.nets.ssd.detection import split
from numpy.typing import NDArray
from pydantic.alias_generators import to_camel

from tests.support.prepared_nets import file_of, load_detector, load_extractor
from tests.support.tiny_models import tiny_extractor, tiny_ssd


def parsed(data: bytes) -> tuple[dict[str, Any], bytes]:
    magic, version, length = struct.unpack_from("<8sII", data)
    assert (magic, version) == (b"FEATXNET", 1)
    start = (16 + length + 63) // 64 * 64
    return json.loads(data[16 : 16 + length]), data[start:]


def array(weights: bytes, place: dict[str, Any]) -> NDArray[np.float32]:
    assert place["offset"] % 64 == 0
    count = int(np.prod(place["shape"]))
    return np.frombuffer(weights, "<f4", count, place["offset"]).reshape(place["shape"])


def test_the_same_net_gives_the_same_bytes() -> None:
    net = tiny_ssd()
    first, second = (file_of(load_detector(net.prototxt(), net.caffemodel())) for _ in range(2))
    assert first == second


def test_a_different_weight_gives_different_bytes() -> None:
    net, other = tiny_extractor(), tiny_extractor()
    other.message.layer[1].blobs[0].data[0] += 1
    assert file_of(load_extractor(net.prototxt(), net.caffemodel(), "pool")) != (
        file_of(load_extractor(other.prototxt(), other.caffemodel(), "pool"))
    )


def test_layers_settings_and_weights_are_complete() -> None:
    net = tiny_ssd()
    header, weights = parsed(file_of(load_detector(net.prototxt(), net.caffemodel())))
    detector = split(fold(caffe_reader.read(net.prototxt(), net.caffemodel())))
    assert header["input"] == {"name": "data", "shape": [3, 64, 64]}
    assert header["outputs"] == ["norm_loc", "wide_loc", "norm_conf", "wide_conf"]
    for written, layer in zip(header["layers"], detector.trunk.layers, strict=True):
        assert (written["name"], written["inputs"]) == (layer.name, list(layer.inputs))
        assert (written["type"], written["shape"]) == (type(layer.operation).__name__, list(layer.shape))
        for name, place in written["weights"].items():
            np.testing.assert_array_equal(array(weights, place), getattr(layer.operation, name))
    wide = next(layer for layer in header["layers"] if layer["name"] == "wide")
    assert wide["settings"] == {"stride": [1, 1], "pad": [2, 2], "dilation": [2, 2], "groups": 1}
    detection = header["detection"]
    np.testing.assert_array_equal(array(weights, detection["priors"]), detector.priors)
    assert (detection["scores"], detection["classes"], detection["topK"], detection["keepTopK"]) == (
        "softmax",
        3,
        100,
        50,
    )


def test_an_extractor_has_the_length_of_its_feature() -> None:
    net = tiny_extractor()
    loaded = load_extractor(net.prototxt(), net.caffemodel(), "hash")
    header, _ = parsed(file_of(loaded))
    assert (loaded.length, loaded.input_shape, header["outputs"]) == (20, (3, 48, 48), ["hash"])
    assert "detection" not in header
    assert "prob" not in {layer["name"] for layer in header["layers"]}


def test_operations_have_the_settings_of_the_contract() -> None:
    settings = {
        operation.__name__: {
            to_camel(name) for name, kind in get_type_hints(operation).items() if kind != operations.Array
        }
        for operation in get_args(operations.Operation)
    }
    unsupported = {"Identity", "PriorBox", "Priors", "DetectionOutput"}  # by the engine bigdl
    expected = {operation: set(names) for operation, names in network_header.SETTINGS.items()}
    assert {name: settings[name] for name in settings.keys() - unsupported} == expected
