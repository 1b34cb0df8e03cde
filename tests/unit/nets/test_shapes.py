"""Sizes are rounded like in Caffe, and impossible settings are refused before an engine sees them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from featx_job.nets.caffe import caffe_reader
from featx_job.nets.errors import ModelError
from featx_job.nets.prepare import PreparedNet
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.caffe_nets import CaffeNet
from tests.support.prepared_nets import load_detector, load_extractor
from tests.support.tiny_models import tiny_extractor, tiny_ssd

NUMBERS = ["0", "-1", "-2", "1", "2", "3", "7", "100000", "2147483647", "4294967295", "1e30", "-0.5", "nan", "inf"]


def shape_of(net: CaffeNet) -> tuple[int, ...]:
    return caffe_reader.read(net.prototxt(), b"\xa2\x06\x00").layers[0].shape


def pooled(high: int, wide: int, **pooling: object) -> tuple[int, ...]:
    """The shape after pooling a map; the caffemodel read along with it has one layer, without weights."""
    net = CaffeNet(3, high, wide)
    net.layer("Pooling", "pool", ["data"], pooling_param=pooling)
    return shape_of(net)


@given(st.integers(1, 20), st.integers(1, 6), st.integers(1, 6), st.integers(0, 5))
def test_pooling_windows_cover_the_map_and_none_starts_outside(size: int, kernel: int, stride: int, pad: int) -> None:
    """Windows are placed one by one until the padded map is covered; the last must start inside the map."""
    starts = [-pad]
    while starts[-1] + kernel < size + pad:
        starts.append(starts[-1] + stride)
    inside = [start for start in starts if start < size]
    given_settings = {"kernel_size": kernel, "stride": stride, "pad": pad}
    if pad >= kernel:
        with pytest.raises(ModelError, match="must be smaller than the window"):
            pooled(size, size, **given_settings)
    elif len(inside) < len(starts) and not pad:
        with pytest.raises(ModelError, match="last window lies outside the map"):
            pooled(size, size, **given_settings)
    elif kernel - 2 * pad - size < stride:  # otherwise Caffe itself counts less than one window
        assert pooled(size, size, **given_settings) == (3, len(inside), len(inside))


def test_pooling_can_round_down() -> None:
    assert pooled(16, 17, kernel_size=2, stride=2) == (3, 8, 9)
    assert pooled(16, 17, kernel_size=2, stride=2, round_mode="FLOOR") == (3, 8, 8)


def test_padding_on_one_axis_cuts_windows_on_both() -> None:
    """PoolingLayer::Reshape checks `pad_h_ || pad_w_`; OpenCV keeps five rows here, the last of them empty."""
    one_axis = {"kernel_h": 2, "kernel_w": 3, "stride_h": 4, "stride_w": 2, "pad_h": 0, "pad_w": 1}
    assert pooled(16, 16, **one_axis) == (3, 4, 9)


@pytest.mark.parametrize(
    ("kind", "given_settings", "expected"),
    [
        ("Pooling", {"pooling_param": {"kernel_size": 0}}, "must be 1 or more"),
        ("Pooling", {"pooling_param": {"kernel_size": 2, "stride": 0}}, "must be 1 or more"),
        ("Pooling", {"pooling_param": {"kernel_h": 3}}, "must be 1 or more"),
        ("Softmax", {"softmax_param": {"axis": 4}}, "no axis 4"),
        ("Softmax", {"softmax_param": {"axis": 0}}, "no axis 0"),
        ("Reshape", {"reshape_param": {"shape": {"dim": [0, 3, 8, 8, 0]}}}, "can't be reshaped"),
        ("Reshape", {"reshape_param": {"shape": {"dim": [0, -1, -1]}}}, "can't be reshaped"),
        ("Reshape", {"reshape_param": {"shape": {"dim": [0, -1, -3]}}}, "can't be reshaped"),
        ("Reshape", {"reshape_param": {"shape": {"dim": [2, -1]}}}, "can't be reshaped"),
        ("Reshape", {}, "can't be reshaped"),
        ("Reshape", {"reshape_param": {"shape": {"dim": [-1]}, "axis": 2}}, "only supported from axis 0 or 1"),
        (
            "Reshape",
            {"reshape_param": {"shape": {"dim": [-1]}, "axis": 1, "num_axes": 2}},
            "only supported from axis 0 or 1",
        ),
        ("Power", {"power_param": {"scale": "NaN"}}, "scale is not a finite number"),
        ("ReLU", {"relu_param": {"negative_slope": "Infinity"}}, "slope is not a finite number"),
    ],
)
def test_an_impossible_setting_is_refused(kind: str, given_settings: dict[str, Any], expected: str) -> None:
    net = CaffeNet(3, 8, 8)
    net.layer(kind, "bad", ["data"], **given_settings)
    with pytest.raises(ModelError, match=f"layer bad: .*{expected}"):
        shape_of(net)


def test_a_reshape_to_a_batch_of_one_keeps_the_batch() -> None:
    net = CaffeNet(3, 8, 8)
    net.layer("Reshape", "rows", ["data"], reshape_param={"shape": {"dim": [1, -1, 8]}})
    assert shape_of(net) == (24, 8)


def test_a_reshape_may_leave_the_batch_unnamed() -> None:
    net = CaffeNet(3, 8, 8)
    net.layer("Reshape", "rows", ["data"], reshape_param={"shape": {"dim": [0, -1]}, "axis": 1})
    assert shape_of(net) == (3, 64)


def test_axes_may_be_counted_from_the_end() -> None:
    net = CaffeNet(3, 8, 8)
    net.layer("Concat", "joined", ["data", "data"], concat_param={"axis": -3})
    assert shape_of(net) == (6, 8, 8)


def test_an_input_too_large_for_memory_is_refused() -> None:
    with pytest.raises(ModelError, match=r"input 'data' would have the shape .* more than 268,435,456 values"):
        pooled(8, 2**31 - 1, kernel_size=2)


def test_weights_that_are_not_finite_are_refused() -> None:
    net = tiny_extractor()
    net.message.layer[1].blobs[0].data[5] = float("nan")
    with pytest.raises(ModelError, match="layer first: weight is not a finite number"):
        caffe_reader.read(net.prototxt(), net.caffemodel())


def test_a_negative_variance_is_refused() -> None:
    net = CaffeNet(3, 4, 4)
    net.layer("BatchNorm", "bn", ["data"], blobs=[[0, 0, 0], [1, -1, 1], [1]])
    with pytest.raises(ModelError, match="layer bn: scale is not a finite number"):
        caffe_reader.read(net.prototxt(), net.caffemodel())


def numbers_in(text: str) -> list[re.Match[str]]:
    return list(re.finditer(r"(?<=: )(-?[\d.e-]+|true|false)$", text, re.MULTILINE))


def load_ssd(text: str) -> PreparedNet:
    return load_detector(text, tiny_ssd().caffemodel())


def load_feature(text: str) -> PreparedNet:
    return load_extractor(text, tiny_extractor().caffemodel(), "prob")


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_a_wrong_number_in_a_prototxt_yields_a_model_or_a_one_line_error(data: st.DataObject) -> None:
    """Never a traceback, and never gigabytes on the driver."""
    text, load = data.draw(
        st.sampled_from([(tiny_ssd().prototxt(), load_ssd), (tiny_extractor().prototxt(), load_feature)])
    )
    place = data.draw(st.sampled_from(numbers_in(text)))
    changed = text[: place.start()] + data.draw(st.sampled_from(NUMBERS)) + text[place.end() :]
    try:
        assert load(changed).length > 0
    except ModelError as refused:
        assert "\n" not in str(refused)
