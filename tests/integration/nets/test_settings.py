"""Settings that change which boxes a detector keeps, and pooling windows that OpenCV counts differently from Caffe."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from featx_job.nets.caffe import caffe_pb2
from numpy.typing import NDArray

from tests.integration.nets.comparison import boxes, distance, matched, opencv
from tests.integration.nets.engine import Engine
from tests.support.caffe_nets import CaffeNet
from tests.support.prepared_nets import file_of, load_detector, load_extractor
from tests.support.tiny_models import SSD_SIZE, tiny_ssd

Floats = NDArray[np.float32]
Change = Callable[[dict[str, caffe_pb2.LayerParameter]], object]


def drawn(count: int) -> Floats:
    """Images of 8 x 8 squares in random colours."""
    return np.random.default_rng(1).uniform(0, 255, (count, 3, 8, 8)).repeat(8, 2).repeat(8, 3).astype(np.float32)


def detector(*changes: Change) -> CaffeNet:
    net = tiny_ssd()
    for change in changes:
        change({layer.name: layer for layer in net.message.layer})
    return net


def _sigmoid(layers: dict[str, caffe_pb2.LayerParameter]) -> None:
    layers["conf_softmax"].type = "Sigmoid"
    layers["conf_softmax"].ClearField("softmax_param")


def _raw(layers: dict[str, caffe_pb2.LayerParameter]) -> None:
    layers["conf_flat"].bottom[0] = "conf_rows"


def _keep_three(layers: dict[str, caffe_pb2.LayerParameter]) -> None:
    layers["detection_out"].detection_output_param.keep_top_k = 3


def _two_a_class(layers: dict[str, caffe_pb2.LayerParameter]) -> None:
    layers["detection_out"].detection_output_param.nms_param.top_k = 2


def _little_overlap(layers: dict[str, caffe_pb2.LayerParameter]) -> None:
    layers["detection_out"].detection_output_param.nms_param.nms_threshold = 0.1


def _other_background(layers: dict[str, caffe_pb2.LayerParameter]) -> None:
    layers["detection_out"].detection_output_param.background_label_id = 1


@pytest.mark.parametrize(
    ("change", "threshold", "at_most"),
    [
        (_sigmoid, 0.55, 50),
        (_raw, 2.6, 50),
        (_keep_three, 0.1, 3),
        (_two_a_class, 0.1, 4),
        (_little_overlap, 0.1, 30),
        (_other_background, 0.3, 50),
    ],
)
def test_detections_kept_match_opencv(engine: Engine, change: Change, threshold: float, at_most: int) -> None:
    net, inputs = detector(change), drawn(5)
    if change is _raw:  # OpenCV treats an unread layer as a second output
        net.message.layer.remove(next(layer for layer in net.message.layer if layer.name == "conf_softmax"))
    detections = engine.detect(file_of(load_detector(net.prototxt(), net.caffemodel())), inputs, threshold)
    for ours, theirs in zip(
        detections, boxes(opencv(net.prototxt(), net.caffemodel()), inputs, threshold), strict=True
    ):
        assert at_most >= len(ours) == len(theirs) > 0
        pixels, relative = matched(ours, theirs, SSD_SIZE, SSD_SIZE)
        assert pixels < 0.01
        assert relative < 1e-4


def test_without_a_background_class_every_class_is_detected(engine: Engine) -> None:
    """OpenCV can't run such a net, but classes other than the background must keep their boxes."""

    def no_background(layers: dict[str, caffe_pb2.LayerParameter]) -> None:
        layers["detection_out"].detection_output_param.background_label_id = -1

    def keep_all(layers: dict[str, caffe_pb2.LayerParameter]) -> None:
        layers["detection_out"].detection_output_param.keep_top_k = -1

    inputs = drawn(3)
    with_it, without = (
        engine.detect(file_of(load_detector(net.prototxt(), net.caffemodel())), inputs, 0.3)
        for net in (detector(keep_all), detector(keep_all, no_background))
    )
    for before, after in zip(with_it, without, strict=True):
        assert 0 in after[:, 0]
        assert (before == after[after[:, 0] > 0]).all()


def test_a_short_detector_batch_yields_the_same_boxes_as_a_full_one(engine: Engine) -> None:
    net, inputs = tiny_ssd(), drawn(8)
    data = file_of(load_detector(net.prototxt(), net.caffemodel()))
    full = engine.detect(data, inputs, 0.1)
    for count in (1, 3, 7):
        for short, whole in zip(engine.detect(data, inputs[:count], 0.1), full, strict=False):
            assert (short == whole).all()


@pytest.mark.parametrize("method", ["MAX", "AVE"])
@pytest.mark.parametrize(
    ("size", "pooling"),
    [
        ((3, 3), {"kernel_size": 4, "stride": 2}),
        ((16, 17), {"kernel_size": 3, "stride": 2, "round_mode": "FLOOR"}),
        ((16, 16), {"kernel_h": 2, "kernel_w": 3, "stride_h": 4, "stride_w": 2, "pad_h": 0, "pad_w": 1}),
        ((16, 16), {"kernel_size": 2, "stride": 4, "pad": 1}),
    ],
)
def test_pooling_matches_caffe(
    any_engine: Engine, method: str, size: tuple[int, int], pooling: dict[str, object]
) -> None:
    net = CaffeNet(3, *size)
    net.layer("Pooling", "out", ["data"], pooling_param={"pool": method, **pooling})
    message = net.message.layer[-1].pooling_param
    inputs = np.random.default_rng(2).normal(size=(3, 3, *size)).astype(np.float32)
    loaded = load_extractor(net.prototxt(), net.caffemodel(), "out", any_engine.name)
    (actual,) = any_engine.forward(file_of(loaded), inputs, batch=4)
    expected = caffes_pooling(inputs, message)
    assert actual.shape == (3, loaded.length) == (3, expected[0].size)
    assert distance(actual, expected) < 1e-6


def caffes_pooling(inputs: Floats, pooling: caffe_pb2.PoolingParameter) -> Floats:
    """PoolingLayer::Forward_cpu transcribed, on the windows that Reshape counts."""
    _, _, height, width = inputs.shape
    kernel = (pooling.kernel_h or pooling.kernel_size, pooling.kernel_w or pooling.kernel_size)
    stride = (pooling.stride_h or pooling.stride, pooling.stride_w or pooling.stride)
    pad = (pooling.pad_h or pooling.pad, pooling.pad_w or pooling.pad)
    counts = []
    for axis, size in enumerate((height, width)):
        steps = (size + 2 * pad[axis] - kernel[axis]) / stride[axis]
        count = int(np.floor(steps) if pooling.round_mode == pooling.FLOOR else np.ceil(steps)) + 1
        counts.append(count - 1 if any(pad) and (count - 1) * stride[axis] >= size + pad[axis] else count)
    pooled = np.zeros((*inputs.shape[:2], *counts), np.float32)
    for y, x in np.ndindex(*counts):
        top, left = y * stride[0] - pad[0], x * stride[1] - pad[1]
        bottom, right = min(top + kernel[0], height + pad[0]), min(left + kernel[1], width + pad[1])
        area = (bottom - top) * (right - left)
        window = inputs[:, :, max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
        mean = window.sum((2, 3)) / area
        pooled[:, :, y, x] = window.max((2, 3)) if pooling.pool == pooling.MAX else mean
    return pooled
