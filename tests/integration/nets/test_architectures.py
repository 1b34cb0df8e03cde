"""Every supported architecture matches OpenCV's Caffe importer on both engines.

Weights are random (tests/support/architectures). The nets are large, so only one is loaded at a time, on two images.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from featx_job.nets import bigdl
from featx_job.nets.caffe import caffe_reader
from featx_job.nets.graph.fold import fold
from featx_job.nets.graph.network import Network
from featx_job.nets.network_file import extractor_file
from featx_job.nets.onnx.onnx_writer import to_onnx
from featx_job.nets.ssd.detection import split
from numpy.typing import NDArray
from openvino import Core

from tests.integration.nets.comparison import Floats, blobs, boxes, distance, matched, opencv, outputs
from tests.integration.nets.engine import Engine
from tests.support import architectures
from tests.support.architectures import ScaledNet
from tests.support.prepared_nets import file_of, load_detector

Images = list[NDArray[np.uint8]]
Build = Callable[[], ScaledNet]
BATCH = 2
TOLERANCE = 1e-3
MEAN = (104, 117, 123)

# The feature layer, and the last layer before the softmax, which would hide differences of its input.
EXTRACTORS = [
    (architectures.resnet50, "pool5"),
    (architectures.resnet50, "fc1000"),
    (architectures.googlenet, "pool5/7x7_s1"),
    (architectures.googlenet, "loss3/classifier"),
    (architectures.squeezenet, "fire9/concat"),
    (architectures.squeezenet, "pool10"),
    (architectures.squeezenet, "prob"),
]


@pytest.mark.parametrize(("build", "layer"), EXTRACTORS, ids=[f"{build.__name__}-{name}" for build, name in EXTRACTORS])
def test_features_match_opencv(build: Build, layer: str, engine: Engine, images: Images, tmp_path: Path) -> None:
    net = build()
    inputs = two_images(net, images)
    prototxt, weights = net.prototxt(), net.caffemodel()
    (expected,) = outputs(opencv(prototxt, weights), inputs, [layer])
    check_features(engine, prototxt, weights, layer, inputs, expected, tmp_path)


def test_vgg16_features_match_opencv(engine: Engine, images: Images, tmp_path: Path) -> None:
    net = architectures.vgg16()
    inputs = two_images(net, images)
    prototxt, weights = net.prototxt(), net.caffemodel()
    del net
    (expected,) = outputs(opencv(prototxt, weights), inputs, ["fc8"])
    check_features(engine, prototxt, weights, "fc8", inputs, expected, tmp_path)


def test_deepbit_features_match_opencv_including_the_layer_that_caffe_drops(
    engine: Engine, images: Images, tmp_path: Path
) -> None:
    net = architectures.deepbit()
    inputs = two_images(net, images)
    prototxt, weights, mixed = net.prototxt(), net.caffemodel(), architectures.mixed_dialects(net)
    del net
    (expected,) = outputs(opencv(prototxt, weights), inputs, ["relu8_kevin"])
    assert (expected == 0).any(), "the ReLU that is at stake does nothing here"
    assert mixed.count("layers {") == 37
    network = check_features(engine, mixed, weights, "relu8_kevin", inputs, expected, tmp_path)
    assert any("Caffe drops the latter (relu8_kevin)" in note for note in network.notes)


@pytest.mark.parametrize(
    ("build", "prior_boxes"),
    [
        (architectures.vgg16_ssd300, 8732),
        (architectures.vgg16_ssd512, 24564),
        (architectures.mobilenet_ssd, 1917),
    ],
)
def test_maps_and_boxes_match_opencv(
    build: Build, prior_boxes: int, engine: Engine, images: Images, tmp_path: Path
) -> None:
    net = build()
    inputs = two_images(net, images)
    prototxt, weights = net.prototxt(), net.caffemodel()
    del net
    loaded = load_detector(prototxt, weights)
    assert loaded.length == prior_boxes
    (tmp_path / "net").write_bytes(file_of(loaded))
    detector = split(fold(caffe_reader.read(prototxt, weights)))
    with engine.loaded(tmp_path / "net", BATCH) as compiled:
        maps = compiled.forward(inputs)
        detections = compiled.detect(inputs, detector.output.confidence_threshold)
    oracle = opencv(prototxt, weights)
    expected = outputs(oracle, inputs, list(detector.trunk.outputs))
    for of_engine in (maps, on_openvino(detector.trunk, inputs)):
        for ours, theirs in zip(of_engine, expected, strict=True):
            assert_close(ours, theirs)
    for ours, theirs in zip(detections, boxes(oracle, inputs), strict=True):
        assert len(ours) == len(theirs) > 0
        pixels, relative = matched(ours, theirs, *inputs.shape[2:])
        assert pixels < 1
        assert relative < TOLERANCE


def two_images(net: ScaledNet, images: Images) -> Floats:
    """Two images as the net's input."""
    inputs = blobs(images[:BATCH], net.message.layer[0].input_param.shape[0].dim[2], MEAN)
    return inputs / 127.5 if net.message.name == "MobileNet-SSD" else inputs


def check_features(
    engine: Engine, prototxt: str, weights: bytes, layer: str, inputs: Floats, expected: Floats, folder: Path
) -> Network:
    """Checks both engines' features in turn; returns the net that they ran."""
    network = fold(caffe_reader.read(prototxt, weights).up_to_layer(layer))
    (folder / "net").write_bytes(b"".join(extractor_file(bigdl.rewrite(network), "bigdl")))
    with engine.loaded(folder / "net", BATCH) as compiled:
        (actual,) = compiled.forward(inputs)
    assert_close(actual, expected)
    (actual,) = on_openvino(network, inputs)
    assert_close(actual, expected)
    return network


def on_openvino(network: Network, inputs: Floats) -> list[Floats]:
    """OpenVINO's outputs, each (n, values per image), in float32 like everything here."""
    model = Core().read_model(to_onnx(network))
    compiled = Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    results = compiled(inputs)
    return [np.asarray(results[output]).reshape(len(inputs), -1) for output in compiled.outputs]


def assert_close(actual: Floats, expected: Floats) -> None:
    """Asserts equality of values that are meaningful: neither dead nor alike for both images."""
    assert actual.shape == expected.shape
    assert expected.std() > 0
    assert distance(actual, expected) < TOLERANCE
    assert distance(expected[:1], expected[1:]) > 10 * TOLERANCE
