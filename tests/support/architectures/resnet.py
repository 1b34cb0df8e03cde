"""ResNet-50 as in its authors' Caffe model (He et al., 2015): BatchNorm and Scale after every convolution."""

from __future__ import annotations

from tests.support.architectures.scaled import ScaledNet
from tests.support.architectures.vgg import PIXELS

STAGES = ((2, 64, 3), (3, 128, 4), (4, 256, 6), (5, 512, 3))


def resnet50() -> ScaledNet:
    """ResNet-50: input (3, 224, 224); `pool5` has 2048 units, `prob` 1000."""
    net = ScaledNet("ResNet-50", 224)
    net.convolution("conv1", "data", 64, 7, stride=2, pad=3, gain=PIXELS)
    net.normalised("conv1", "bn_conv1", "scale_conv1")
    net.relu("conv1_relu", "conv1")
    blob = net.pooling("pool1", "conv1", 3, 2)
    for stage, narrow, count in STAGES:
        for index in range(count):
            blob = _block(net, f"{stage}{chr(ord('a') + index)}", blob, narrow, first=index == 0)
    blob = net.pooling("pool5", blob, 7, 1, method="AVE")
    net.layer("Softmax", "prob", [net.product("fc1000", blob, 1000)])
    return net


def _block(net: ScaledNet, place: str, bottom: str, narrow: int, first: bool) -> str:
    """Adds 1x1, 3x3 and 1x1 convolutions and a shortcut, which is a 1x1 convolution if the size changes."""
    stride = 2 if first and not place.startswith("2") else 1
    shortcut = _branch(net, place, "1", bottom, 4 * narrow, 1, stride) if first else bottom
    blob = bottom
    for part, (channels, kernel, step) in {"2a": (narrow, 1, stride), "2b": (narrow, 3, 1)}.items():
        blob = _branch(net, place, part, blob, channels, kernel, step)
        net.relu(f"res{place}_branch{part}_relu", blob)
    blob = _branch(net, place, "2c", blob, 4 * narrow, 1, 1, gain=0.3)  # otherwise sums would grow with every block
    name = net.layer("Eltwise", f"res{place}", [shortcut, blob])
    net.channels[name] = 4 * narrow
    return net.relu(f"res{place}_relu", name)


def _branch(
    net: ScaledNet, place: str, part: str, bottom: str, channels: int, kernel: int, stride: int, gain: float = 1.0
) -> str:
    name = f"res{place}_branch{part}"
    net.convolution(name, bottom, channels, kernel, stride=stride, pad=kernel // 2, bias=False, gain=2**0.5)
    return net.normalised(name, f"bn{place}_branch{part}", f"scale{place}_branch{part}", gain)
