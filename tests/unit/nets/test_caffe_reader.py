"""Caffe's files are read as Caffe reads them, and unusable ones are refused in a line that names the position."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from featx_job.nets.caffe import caffe_pb2, caffe_reader
from featx_job.nets.errors import ModelError
from featx_job.nets.graph import operations

from tests.support.caffe_nets import CaffeNet
from tests.support.prepared_nets import load_detector, load_extractor
from tests.support.tiny_models import tiny_extractor, tiny_ssd

V1 = """
name: "old"
input: "data" input_dim: 1 input_dim: 3 input_dim: 6 input_dim: 6
layers { name: "labels" type: DATA top: "labels" include { phase: TRAIN } }
layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv"
         convolution_param { num_output: 2 kernel_size: 3 stride: 2 } blobs_lr: 1 weight_decay: 0 }
layers { name: "relu" type: RELU bottom: "conv" top: "conv" }
layers { name: "fc" type: INNER_PRODUCT bottom: "conv" top: "fc" inner_product_param { num_output: 4 } }
layers { name: "loss" type: SOFTMAX_LOSS bottom: "fc" bottom: "labels" include { phase: TRAIN } }
"""
V2_AT_THE_END = 'layer { name: "last" type: "ReLU" bottom: "fc" top: "fc" }'


def v1_weights() -> bytes:
    """The weights of V1, in the dialect of its time: four dimensions, no shape."""
    net = caffe_pb2.NetParameter()
    conv = net.layers.add(name="conv", type="CONVOLUTION")
    conv.blobs.add(num=2, channels=3, height=3, width=3, data=np.arange(54).tolist())
    conv.blobs.add(num=1, channels=1, height=1, width=2, data=[1, 2])
    product = net.layers.add(name="fc", type="INNER_PRODUCT")
    product.blobs.add(num=1, channels=1, height=4, width=8, data=np.arange(32).tolist())
    product.blobs.add(num=1, channels=1, height=1, width=4, data=[0, 0, 0, 1])
    return net.SerializeToString()


def test_the_old_dialect_is_read_with_its_training_layers_left_out() -> None:
    network = caffe_reader.read(V1, v1_weights())
    assert [layer.name for layer in network.layers] == ["conv", "relu", "fc"]
    conv, relu, product = network.layers
    assert isinstance(conv.operation, operations.Convolution)
    assert (conv.shape, conv.operation.stride, conv.operation.weight.shape) == ((2, 2, 2), (2, 2), (2, 3, 3, 3))
    assert (relu.inputs, product.inputs, product.shape) == (("conv",), ("relu",), (4,))
    assert network.outputs == ("fc",)


def test_a_mixed_file_is_read_completely_with_a_note() -> None:
    network = caffe_reader.read(V1 + V2_AT_THE_END, v1_weights())
    assert network.outputs == ("last",)
    assert any("mixes `layers` and `layer`" in note and "last" in note for note in network.notes)


def test_in_place_layers_are_distinguished() -> None:
    network = caffe_reader.read(V1, v1_weights())
    assert network.notes == ("layer conv differs from the final content of Caffe's blob conv: relu modify it in place",)


def test_weights_are_found_in_a_file_of_the_other_dialect() -> None:
    weights = caffe_pb2.NetParameter.FromString(v1_weights())
    for old in list(weights.layers):
        weights.layer.add(name=old.name, blobs=old.blobs)
    del weights.layers[:]
    before, after = caffe_reader.read(V1, v1_weights()), caffe_reader.read(V1, weights.SerializeToString())
    first, second = before.layers[0].operation, after.layers[0].operation
    assert isinstance(first, operations.Convolution)
    assert isinstance(second, operations.Convolution)
    np.testing.assert_array_equal(first.weight, second.weight)


def test_an_input_layer_and_input_fields_are_equivalent() -> None:
    net = tiny_extractor()
    layers = net.prototxt().split("layer {", 2)
    fields = f'input: "data" input_shape {{ dim: 1 dim: 3 dim: 48 dim: 48 }} layer {{{layers[2]}'
    assert caffe_reader.read(fields, net.caffemodel()).input_shape == (3, 48, 48)


def test_only_layers_that_the_feature_needs_remain() -> None:
    net = tiny_extractor()
    network = caffe_reader.read(net.prototxt(), net.caffemodel()).up_to_layer("depthwise")
    assert {layer.name for layer in network.layers} >= {"first", "pooled", "depthwise"}
    assert not {layer.name for layer in network.layers} & {"depthwise_bn", "sum", "pool", "hash"}


@pytest.mark.parametrize("rule", ["include { phase: TRAIN }", "exclude { phase: TEST }"])
def test_a_layer_of_the_training_phase_is_left_out(rule: str) -> None:
    training = f'layers {{ name: "noise" type: SIGMOID bottom: "fc" top: "fc" {rule} }}'
    assert caffe_reader.read(V1 + training, v1_weights()).outputs == ("fc",)
    testing = training.replace(rule, "include { phase: TEST } exclude { phase: TRAIN }")
    assert caffe_reader.read(V1 + testing, v1_weights()).outputs == ("noise",)


def test_a_batch_norm_that_saw_no_batch_has_mean_0() -> None:
    net = CaffeNet(3, 4, 4)
    net.layer("BatchNorm", "bn", ["data"], blobs=[[5, 5, 5], [9, 9, 9], [0]], batch_norm_param={"eps": 0.25})
    (layer,) = caffe_reader.read(net.prototxt(), net.caffemodel()).layers
    assert isinstance(layer.operation, operations.Affine)
    np.testing.assert_allclose(layer.operation.scale, [2, 2, 2])
    np.testing.assert_allclose(layer.operation.shift, [0, 0, 0])


def changed(change: Callable[[CaffeNet], object]) -> Callable[[], tuple[str, bytes]]:
    """The tiny extractor after a change of its message, or a change of its two files where that returns them."""

    def files() -> tuple[str, bytes]:
        net = tiny_extractor()
        result = change(net)
        return result if isinstance(result, tuple) else (net.prototxt(), net.caffemodel())

    return files


def with_layer(kind: str, bottoms: list[str], **given: object) -> Callable[[], tuple[str, bytes]]:
    return changed(lambda net: net.layer(kind, "bad", bottoms, **given) and None)  # type: ignore[arg-type]


def _drop_blobs(net: CaffeNet) -> None:
    net.message.layer[1].ClearField("blobs")


def _other_width(net: CaffeNet) -> tuple[str, bytes]:
    return net.prototxt().replace("num_output: 20", "num_output: 21"), net.caffemodel()


def _damaged_blob(net: CaffeNet) -> None:
    net.message.layer[1].blobs[0].shape.dim[0] = 7


def _no_input(net: CaffeNet) -> None:
    del net.message.layer[0]


def _grey_input(net: CaffeNet) -> None:
    net.message.layer[0].input_param.shape[0].dim[1] = 1


def _small_input(net: CaffeNet) -> None:
    net.message.layer[0].input_param.shape[0].dim[2] = 1


def _twice(net: CaffeNet) -> None:
    last = net.message.layer[-1]
    net.message.layer.add().CopyFrom(last)


ODD_CONVOLUTION = {"num_output": 4, "kernel_size": [3], "group": 5}
REFUSED: dict[str, tuple[Callable[[], tuple[str, bytes]], str]] = {
    "an extra brace": (
        changed(lambda net: (net.prototxt() + "\n}", net.caffemodel())),
        r"not a Caffe prototxt \(line \d+, column 1\)",
    ),
    "a field of another type": (
        changed(lambda net: (net.prototxt().replace("num_output: 20", "num_output: many"), net.caffemodel())),
        r"not a Caffe prototxt \(line \d+, column \d+\)$",
    ),
    "a prototxt that is HTML": (
        changed(lambda net: ("<html>", net.caffemodel())),
        r"not a Caffe prototxt \(line 1, column 1\)",
    ),
    "an empty prototxt": (changed(lambda net: ("", net.caffemodel())), "declares no input"),
    "truncated weights": (changed(lambda net: (net.prototxt(), net.caffemodel()[:-100])), "truncated"),
    "no weights": (changed(lambda net: (net.prototxt(), b"")), r"\(0 bytes\) contain no layers"),
    "weights that are HTML": (changed(lambda net: (net.prototxt(), b"<!doctype html><html>")), "not a caffemodel"),
    "a layer without weights": (
        changed(_drop_blobs),
        r"layer first \(Convolution\): the weights have no weights for it",
    ),
    "weights of another net": (changed(_other_width), "layer hash: the prototxt requires 252 values of weights"),
    "a damaged blob": (changed(_damaged_blob), "layer first: a blob of shape .* the file is damaged"),
    "no input": (changed(_no_input), "declares no input"),
    "an input of one channel": (changed(_grey_input), "an image must have \\(n, 3, height, width\\)"),
    "an input that is too small": (changed(_small_input), "layer pooled: .* too small"),
    "a name twice": (changed(_twice), "have the name 'prob'"),
    "an unknown type": (
        with_layer("Warp", ["pool"]),
        "layer bad has the unknown type 'Warp'; supported are BatchNorm, .*Split",
    ),
    "a blob that nobody writes": (
        with_layer("ReLU", ["nowhere"]),
        r"layer bad \(ReLU\) reads 'nowhere', but no earlier layer",
    ),
    "a layer that reads nothing": (with_layer("ReLU", []), "has no input"),
    "a sum of different shapes": (with_layer("Eltwise", ["pool", "sum"]), "layer bad: Eltwise of different shapes"),
    "a concat that does not fit": (with_layer("Concat", ["data", "sum"]), "layer bad: shapes .* can't be concatenated"),
    "groups that do not divide": (with_layer("Convolution", ["sum"], convolution_param=ODD_CONVOLUTION), "group 5"),
    "stochastic pooling": (
        with_layer("Pooling", ["sum"], pooling_param={"pool": 2, "kernel_size": 2}),
        "layer bad: stochastic",
    ),
    "pooling of a vector": (
        with_layer("Pooling", ["hash"], pooling_param={"kernel_size": 2}),
        r"layer bad \(Pooling\) needs a map",
    ),
    "a reshape that does not fit": (
        with_layer("Reshape", ["pool"], reshape_param={"shape": {"dim": [0, 5, -1]}}),
        "layer bad: the shape .* can't be reshaped",
    ),
    "a kernel whose size overflows": (
        with_layer(
            "Convolution", ["sum"], convolution_param={"num_output": 1 << 31, "kernel_h": 1 << 31, "kernel_w": 4}
        ),
        "layer bad",
    ),
    "more default boxes than anybody compares": (
        with_layer(
            "PriorBox", ["sum", "data"], prior_box_param={"min_size": [1], "aspect_ratio": list(range(2, 2000))}
        ),
        "layer bad: PriorBox takes at most 256",
    ),
    "a sum across more channels than there are": (
        with_layer("LRN", ["sum"], lrn_param={"local_size": (1 << 32) - 1}),
        "layer bad: LRN needs an odd local_size up to 65536",
    ),
    "a permutation of the batch": (with_layer("Permute", ["sum"], permute_param={"order": [1, 0]}), "batch must stay"),
    "coefficients of a product": (
        with_layer("Eltwise", ["sum", "sum"], eltwise_param={"operation": 0, "coeff": [1, 2]}),
        "layer bad: Eltwise takes one coefficient",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_unusable_files_are_refused_in_one_line(case: str) -> None:
    files, expected = REFUSED[case]
    with pytest.raises(ModelError, match=expected) as refused:
        caffe_reader.read(*files())
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("size", range(1, 8000, 97))
def test_weights_cut_anywhere_are_refused_or_lack_a_layer(size: int) -> None:
    net = tiny_extractor()
    whole = net.caffemodel()
    with pytest.raises(ModelError):
        caffe_reader.read(net.prototxt(), whole[: size * len(whole) // 8000])


def test_a_missing_layer_is_answered_with_similar_names() -> None:
    net = tiny_extractor()
    with pytest.raises(ModelError, match=r"no layer 'pool5'; similar names are pool"):
        load_extractor(net.prototxt(), net.caffemodel(), "pool5")


def test_the_input_is_not_a_feature() -> None:
    net = CaffeNet(3, 8, 8)
    net.layer("Dropout", "drop", ["data"])
    with pytest.raises(ModelError, match="layer drop returns the image unchanged"):
        load_extractor(net.prototxt(), net.caffemodel(), "drop")


def test_a_feature_that_the_engine_cannot_compute_is_refused_before_it_starts() -> None:
    net = tiny_ssd()
    with pytest.raises(ModelError, match=r"layer norm_prior \(PriorBox\) can't run on the engine bigdl"):
        load_extractor(net.prototxt(), net.caffemodel(), "norm_prior")
    with pytest.raises(ModelError, match=r"layer conf_softmax \(Softmax\) can't run .* softmax along axis 2 of 3"):
        load_extractor(net.prototxt(), net.caffemodel(), "conf_softmax")


def test_an_extractor_is_not_a_detector() -> None:
    net = tiny_extractor()
    with pytest.raises(ModelError, match=r"not an SSD: it has no DetectionOutput layer \(it ends in prob\)"):
        load_detector(net.prototxt(), net.caffemodel())
