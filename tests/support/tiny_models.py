"""Two nets of a few kilobytes with every part of the real ones, for fast tests.

The SSD's weights are set by hand: it detects red (class 1) and blue (class 2), so a test can draw an image and know
the expected detections. The extractor's weights are random, from a fixed seed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.caffe_nets import CaffeNet
from tests.support.models import CaffeFiles

SSD_SIZE = 64
EXTRACTOR_SIZE = 48
EXTRACTOR_LAYER = "pool"
EXTRACTOR_UNITS = 12
RED, BLUE = 1, 2


def write_tiny_ssd(folder: Path) -> CaffeFiles:
    """Writes an SSD: input (3, 64, 64) BGR, mean 0; 160 default boxes of 16 to 48 pixels; detects red and blue."""
    return CaffeFiles(*tiny_ssd().write(folder, "tiny_ssd"))


def write_tiny_extractor(folder: Path) -> CaffeFiles:
    """Writes an extractor: input (3, 48, 48) BGR; the layer `pool` has 12 units, the layer `hash` 20."""
    return CaffeFiles(*tiny_extractor().write(folder, "tiny_extractor"))


def tiny_ssd() -> CaffeNet:
    """The SSD: maps of 8x8 and 4x4, the first through Normalize, the second through a dilated convolution."""
    net = CaffeNet(3, SSD_SIZE, SSD_SIZE, name="tiny_ssd")
    blue_green_red = np.array([[-0.5, -0.5, 1.0], [1.0, -0.5, -0.5], [0.0, 0.0, 0.0]])
    weight = np.broadcast_to((blue_green_red * 4 / 255 / 64)[:, :, None, None], (3, 3, 8, 8))
    net.layer("Convolution", "colour", ["data"], blobs=[weight, [0.0, 0.0, 1.0]], convolution_param=_square(3, 8, 8))
    # A BatchNorm and a Scale that cancel out; statistics are sums over 2 batches, as Caffe stores them.
    mean, variance = np.array([0.5, -0.5, 1.0]), np.array([4.0, 1.0, 0.25])
    net.layer("BatchNorm", "colour_bn", ["colour"], "colour", [2 * mean, 2 * variance, [2.0]])
    undone = [np.sqrt(variance + 1e-5), mean]
    net.layer("Scale", "colour_scale", ["colour"], "colour", undone, scale_param={"bias_term": True})
    net.layer("ReLU", "colour_relu", ["colour"], "colour")
    net.layer(
        "Normalize",
        "norm",
        ["colour"],
        blobs=[[4.0, 4.0, 4.0]],
        norm_param={"across_spatial": False, "channel_shared": False},
    )
    net.layer("Pooling", "half", ["colour"], pooling_param={"kernel_size": 2, "stride": 2})
    spread = np.zeros((3, 3, 3, 3))
    spread[range(3), range(3)] = 0.05
    spread[range(3), range(3), 1, 1] = 1.0
    net.layer(
        "Convolution",
        "wide",
        ["half"],
        blobs=[spread],
        convolution_param={**_square(3, 3, 1), "bias_term": False, "pad": [2], "dilation": [2]},
    )
    net.layer("ReLU", "wide_relu", ["wide"], "wide")
    # `clip` is explicit because it defaults to true in OpenCV but to false in Caffe.
    _head(net, "norm", {"min_size": [16], "aspect_ratio": [2], "flip": False, "clip": False})
    _head(net, "wide", {"min_size": [32], "max_size": [48], "clip": True})
    for name in ("loc", "conf"):
        net.layer("Concat", name, [f"norm_{name}_flat", f"wide_{name}_flat"])
    net.layer("Concat", "prior", ["norm_prior", "wide_prior"], concat_param={"axis": 2})
    net.layer("Reshape", "conf_rows", ["conf"], reshape_param={"shape": {"dim": [0, -1, 3]}})
    net.layer("Softmax", "conf_softmax", ["conf_rows"], softmax_param={"axis": 2})
    net.layer("Flatten", "conf_flat", ["conf_softmax"])
    # Caffe has defaults for all of these; OpenCV requires some.
    settings = {
        "num_classes": 3,
        "share_location": True,
        "background_label_id": 0,
        "code_type": 2,
        "nms_param": {"nms_threshold": 0.45, "top_k": 100},
        "keep_top_k": 50,
        "confidence_threshold": 0.01,
    }
    net.layer("DetectionOutput", "detection_out", ["loc", "conf_flat", "prior"], detection_output_param=settings)
    return net


def tiny_extractor() -> CaffeNet:
    """The extractor: pre-activation, a residual sum, a depthwise convolution, Concat, global average, hash."""
    random = np.random.default_rng(7)
    net = CaffeNet(3, EXTRACTOR_SIZE, EXTRACTOR_SIZE, name="tiny_extractor")

    def weights(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return random.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape)

    def normalised(name: str, channels: int) -> None:
        net.layer(
            "BatchNorm",
            f"{name}_bn",
            [name],
            name,
            [random.normal(size=channels), random.uniform(0.5, 2, channels), [1]],
        )
        shift = [random.uniform(0.5, 1.5, channels), random.normal(size=channels)]
        net.layer("Scale", f"{name}_scale", [name], name, shift, scale_param={"bias_term": True})

    first = {**_square(8, 3, 2), "pad": [1]}
    net.layer(
        "Convolution", "first", ["data"], blobs=[weights(8, 3, 3, 3) / 64, weights(8, 1)[:, 0]], convolution_param=first
    )
    net.layer("Pooling", "pooled", ["first"], pooling_param={"kernel_size": 3, "stride": 2})
    normalised("pooled", 8)
    net.layer("ReLU", "pooled_relu", ["pooled"], "pooled")
    depthwise = {**_square(8, 3, 1), "pad": [1], "group": 8, "bias_term": False}
    net.layer("Convolution", "depthwise", ["pooled"], blobs=[weights(8, 1, 3, 3)], convolution_param=depthwise)
    normalised("depthwise", 8)
    net.layer("ReLU", "depthwise_relu", ["depthwise"], "depthwise")
    net.layer("Eltwise", "sum", ["pooled", "depthwise"])
    net.layer("ReLU", "sum_relu", ["sum"], "sum")
    net.layer(
        "Convolution", "side", ["sum"], blobs=[weights(4, 8, 1, 1), np.zeros(4)], convolution_param=_square(4, 1, 1)
    )
    net.layer("Concat", "joined", ["sum", "side"])
    net.layer("Pooling", "pool", ["joined"], pooling_param={"pool": 1, "global_pooling": True})
    net.layer("Dropout", "drop", ["pool"], "pool")
    net.layer(
        "InnerProduct",
        "hash",
        ["pool"],
        blobs=[weights(20, 12), weights(20, 1)[:, 0]],
        inner_product_param={"num_output": 20},
    )
    net.layer("Softmax", "prob", ["hash"])
    return net


def _square(channels: int, kernel: int, stride: int) -> dict[str, object]:
    return {"num_output": channels, "kernel_size": [kernel], "stride": [stride]}


def _head(net: CaffeNet, source: str, sizes: dict[str, object]) -> None:
    """Adds the heads of one map: two boxes per place, three classes; boxes are close to their default boxes."""
    scores = np.tile(np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), (2, 1))[:, :, None, None]
    # The second box of a place scores lower, so that scores differ.
    base = [2.0, -1.0, -1.0, 2.5, -1.5, -1.5]
    moves = np.linspace(-0.1, 0.1, 24).reshape(8, 3, 1, 1)
    net.layer("Convolution", f"{source}_loc", [source], blobs=[moves, np.zeros(8)], convolution_param=_square(8, 1, 1))
    net.layer("Convolution", f"{source}_conf", [source], blobs=[scores, base], convolution_param=_square(6, 1, 1))
    for name in ("loc", "conf"):
        net.layer("Permute", f"{source}_{name}_perm", [f"{source}_{name}"], permute_param={"order": [0, 2, 3, 1]})
        net.layer("Flatten", f"{source}_{name}_flat", [f"{source}_{name}_perm"])
    prior = {"variance": [0.1, 0.1, 0.2, 0.2], **sizes}
    net.layer("PriorBox", f"{source}_prior", [source, "data"], prior_box_param=prior)
