"""The end of an SSD is recognized by what its layers do, whatever their names are."""

from __future__ import annotations

import numpy as np
import pytest
from featx_job.nets.caffe import caffe_pb2, caffe_reader
from featx_job.nets.errors import ModelError
from featx_job.nets.graph import operations
from featx_job.nets.graph.fold import fold
from featx_job.nets.ssd.detection import SingleShot, split

from tests.support.caffe_nets import CaffeNet
from tests.support.tiny_models import tiny_ssd


def of(net: CaffeNet) -> SingleShot:
    return split(fold(caffe_reader.read(net.prototxt(), net.caffemodel())))


def layer(net: CaffeNet, name: str) -> caffe_pb2.LayerParameter:
    return next(layer for layer in net.message.layer if layer.name == name)


def test_the_net_ends_at_its_heads() -> None:
    detector = of(tiny_ssd())
    assert detector.trunk.outputs == ("norm_loc", "wide_loc", "norm_conf", "wide_conf")
    kinds = {type(layer.operation) for layer in detector.trunk.layers}
    assert kinds == {operations.Convolution, operations.Relu, operations.Normalize, operations.Pooling}
    assert detector.priors.shape == (160, 4)
    assert detector.priors.dtype == np.float32
    assert (detector.scores, detector.output.classes, detector.output.background) == ("softmax", 3, 0)


def test_names_are_irrelevant() -> None:
    net = tiny_ssd()
    names = {part.name: f"n{index}" for index, part in enumerate(net.message.layer) if part.name != "data"}
    for part in net.message.layer:
        part.name = names.get(part.name, part.name)
        for field in (part.bottom, part.top):
            field[:] = [names.get(name, name) for name in field]
    detector, expected = of(net), of(tiny_ssd())
    assert detector.trunk.outputs == tuple(names[name] for name in expected.trunk.outputs)
    np.testing.assert_array_equal(detector.priors, expected.priors)


def test_sigmoid_scores_are_recognized() -> None:
    net = tiny_ssd()
    layer(net, "conf_softmax").type = "Sigmoid"
    assert of(net).scores == "sigmoid"


def test_one_map_needs_no_concat() -> None:
    net = tiny_ssd()
    for name in ("loc", "conf", "prior"):
        del layer(net, name).bottom[1]
    detector = of(net)
    assert detector.trunk.outputs == ("norm_loc", "norm_conf")
    assert len(detector.priors) == 128
    assert "wide" not in {part.name for part in detector.trunk.layers}


def _lacks_a_head(net: CaffeNet) -> None:
    del layer(net, "conf").bottom[1]


def _no_permute(net: CaffeNet) -> None:
    layer(net, "norm_loc_flat").bottom[0] = "norm_loc"


def _other_order(net: CaffeNet) -> None:
    layer(net, "norm_loc_perm").permute_param.order[:] = [0, 3, 2, 1]


def _no_prior(net: CaffeNet) -> None:
    layer(net, "prior").bottom[0] = "norm_loc_flat"
    layer(net, "prior").concat_param.axis = 1
    layer(net, "prior").bottom[1] = "wide_loc_flat"


def _other_variances(net: CaffeNet) -> None:
    layer(net, "norm_prior").prior_box_param.variance[0] = 0.3


def _corners(net: CaffeNet) -> None:
    layer(net, "detection_out").detection_output_param.code_type = caffe_pb2.PriorBoxParameter.CORNER


def _box_per_class(net: CaffeNet) -> None:
    layer(net, "detection_out").detection_output_param.share_location = False


def _two_inputs(net: CaffeNet) -> None:
    del layer(net, "detection_out").bottom[2]


def _sizes_without_pairs(net: CaffeNet) -> None:
    layer(net, "wide_prior").prior_box_param.max_size.append(60)


def _softmax_over_boxes(net: CaffeNet) -> None:
    layer(net, "conf_softmax").softmax_param.axis = 1


def _softmax_over_all(net: CaffeNet) -> None:
    layer(net, "conf_softmax").bottom[0] = "conf"
    layer(net, "conf_softmax").softmax_param.axis = 1


def _background_beyond(net: CaffeNet) -> None:
    layer(net, "detection_out").detection_output_param.background_label_id = 3


def _negative_size(net: CaffeNet) -> None:
    layer(net, "norm_prior").prior_box_param.min_size[0] = -16


def _two_variances(net: CaffeNet) -> None:
    del layer(net, "norm_prior").prior_box_param.variance[2:]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_softmax_over_boxes, r"layer conf_softmax: the softmax of \(160, 3\) along axis 1 is not over 3 classes"),
        (_softmax_over_all, r"layer conf_softmax: the softmax of \(480,\) along axis 1 is not over 3 classes"),
        (_background_beyond, "layer detection_out: background_label_id 3 is not one of 3 classes"),
        (_negative_size, "layer norm_prior: PriorBox needs sizes and aspect ratios above 0"),
        (_two_variances, "layer norm_prior: PriorBox needs 1 or 4 variances, not 2"),
        (_lacks_a_head, "heads do not match"),
        (_no_permute, "layer norm_loc feeds DetectionOutput but is not a Permute"),
        (_other_order, "not a Permute to"),
        (_no_prior, "is not a PriorBox"),
        (_other_variances, "different variances"),
        (_corners, "CENTER_SIZE"),
        (_box_per_class, "share_location"),
        (_two_inputs, "reads 2 layers instead of 3"),
        (_sizes_without_pairs, "layer wide_prior: PriorBox needs one max_size per min_size"),
    ],
)
def test_an_end_unlike_an_ssd_s_is_refused(change: object, expected: str) -> None:
    net = tiny_ssd()
    change(net)  # type: ignore[operator]
    with pytest.raises(ModelError, match=expected) as refused:
        of(net)
    assert "\n" not in str(refused.value)
