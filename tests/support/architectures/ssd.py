"""SSD heads for any trunk, and SSD300 and SSD512 on VGG16 (Liu et al., "SSD: single shot multibox detector", 2016)."""

from __future__ import annotations

from typing import NamedTuple

from tests.support.architectures.scaled import ScaledNet
from tests.support.architectures.vgg import stages

CLASSES = 21  # PASCAL VOC's 20, and the background


class Source(NamedTuple):
    """A feature map with heads.

    Attributes:
        blob: The map's blob.
        smallest: Side of the small default box, in pixels.
        largest: Upper bound for the side of the second square box, if any.
        ratios: Aspect ratios besides 1, each also inverted.
        step: Pixels between places, or 0 for the input size divided by the map size.
    """

    blob: str
    smallest: float
    largest: float
    ratios: tuple[int, ...]
    step: int

    @property
    def boxes(self) -> int:
        """Number of default boxes per place."""
        return 1 + bool(self.largest) + 2 * len(self.ratios)


def end(net: ScaledNet, sources: list[Source], kernel: int, settings: dict[str, object]) -> ScaledNet:
    """Adds heads, default boxes and `detection_out`.

    Args:
        net: The net.
        sources: Maps, from the largest to the smallest.
        kernel: Kernel of the heads' convolutions.
        settings: Additional settings of DetectionOutput.
    """
    for source in sources:
        # Small offsets keep boxes inside the image; confident scores leave few ties.
        for kind, count, gain in (("loc", 4, 0.5), ("conf", CLASSES, 2.0)):
            name = f"{source.blob}_mbox_{kind}"
            net.convolution(name, source.blob, source.boxes * count, kernel, pad=kernel // 2, gain=gain)
            net.layer("Permute", f"{name}_perm", [name], permute_param={"order": [0, 2, 3, 1]})
            net.layer("Flatten", f"{name}_flat", [f"{name}_perm"], flatten_param={"axis": 1})
        _default_boxes(net, source)
    for kind in ("loc", "conf"):
        bottoms = [f"{source.blob}_mbox_{kind}_flat" for source in sources]
        net.layer("Concat", f"mbox_{kind}", bottoms, concat_param={"axis": 1})
    boxes = [f"{source.blob}_mbox_priorbox" for source in sources]
    net.layer("Concat", "mbox_priorbox", boxes, concat_param={"axis": 2})
    net.layer("Reshape", "mbox_conf_reshape", ["mbox_conf"], reshape_param={"shape": {"dim": [0, -1, CLASSES]}})
    net.layer("Softmax", "mbox_conf_softmax", ["mbox_conf_reshape"], softmax_param={"axis": 2})
    net.layer("Flatten", "mbox_conf_flatten", ["mbox_conf_softmax"], flatten_param={"axis": 1})
    usual = {"num_classes": CLASSES, "share_location": True, "background_label_id": 0, "code_type": "CENTER_SIZE"}
    bottoms = ["mbox_loc", "mbox_conf_flatten", "mbox_priorbox"]
    net.layer("DetectionOutput", "detection_out", bottoms, detection_output_param={**usual, **settings})
    return net


def vgg16_ssd300() -> ScaledNet:
    """SSD300: input (3, 300, 300), 8732 default boxes."""
    net = ScaledNet("VGG_VOC0712_SSD_300x300_deploy", 300)
    extra = {6: (256, 512, 3, 2, 1), 7: (128, 256, 3, 2, 1), 8: (128, 256, 3, 1, 0), 9: (128, 256, 3, 1, 0)}
    _trunk(net, extra)
    sources = [
        Source("conv4_3_norm", 30, 60, (2,), 8),
        Source("fc7", 60, 111, (2, 3), 16),
        Source("conv6_2", 111, 162, (2, 3), 32),
        Source("conv7_2", 162, 213, (2, 3), 64),
        Source("conv8_2", 213, 264, (2,), 100),
        Source("conv9_2", 264, 315, (2,), 300),
    ]
    return end(net, sources, 3, _voc(0.01))


def vgg16_ssd512() -> ScaledNet:
    """SSD512: input (3, 512, 512), 24564 default boxes."""
    net = ScaledNet("VGG_VOC0712_SSD_512x512_deploy", 512)
    extra = {6: (256, 512, 3, 2, 1), **dict.fromkeys((7, 8, 9), (128, 256, 3, 2, 1)), 10: (128, 256, 4, 1, 1)}
    _trunk(net, extra)
    sizes = [35.84, 76.8, 153.6, 230.4, 307.2, 384.0, 460.8, 537.6]
    ratios = [(2,), *[(2, 3)] * 4, (2,), (2,)]
    blobs = ["conv4_3_norm", "fc7", *[f"conv{stage}_2" for stage in range(6, 11)]]
    sources = [Source(blob, sizes[i], sizes[i + 1], ratios[i], 8 << i) for i, blob in enumerate(blobs)]
    return end(net, sources, 3, _voc(0.01))


def _voc(threshold: float) -> dict[str, object]:
    return {
        "nms_param": {"nms_threshold": 0.45, "top_k": 400},
        "keep_top_k": 200,
        "confidence_threshold": threshold,
    }


def _trunk(net: ScaledNet, extra: dict[int, tuple[int, int, int, int, int]]) -> None:
    """Adds VGG16 with its fully connected layers as convolutions, the first dilated, and the maps after it.

    Args:
        net: The net.
        extra: For each stage after the fifth: channels of two convolutions, and the second's kernel, stride and pad.
    """
    blob = net.convolution("fc6", stages(net, (3, 1, 1)), 1024, 3, pad=6, dilation=6, relu="relu6")
    blob = net.convolution("fc7", blob, 1024, 1, relu="relu7")
    for stage, (narrow, wide, kernel, stride, pad) in extra.items():
        blob = net.convolution(f"conv{stage}_1", blob, narrow, 1, relu=f"conv{stage}_1_relu")
        name = f"conv{stage}_2"
        blob = net.convolution(name, blob, wide, kernel, stride=stride, pad=pad, relu=f"{name}_relu")
    # Scale 20 for 512 channels yields activations of about 1, as in the other maps.
    scale = {"across_spatial": False, "channel_shared": False}
    net.layer("Normalize", "conv4_3_norm", ["conv4_3"], blobs=[[20.0] * 512], norm_param=scale)
    net.channels["conv4_3_norm"] = 512


def _default_boxes(net: ScaledNet, source: Source) -> None:
    # OpenCV requires some that have defaults in Caffe.
    settings: dict[str, object] = {
        "min_size": [source.smallest],
        "aspect_ratio": list(source.ratios),
        "flip": True,
        "clip": False,
        "variance": [0.1, 0.1, 0.2, 0.2],
        "offset": 0.5,
    }
    if source.largest:
        settings["max_size"] = [source.largest]
    if source.step:
        settings["step"] = source.step
    net.layer("PriorBox", f"{source.blob}_mbox_priorbox", [source.blob, "data"], prior_box_param=settings)
