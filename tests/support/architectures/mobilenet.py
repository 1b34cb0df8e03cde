"""MobileNet-SSD for PASCAL VOC, chuanqi305's: depthwise convolutions with BatchNorm and Scale, as trained."""

from __future__ import annotations

from tests.support.architectures.scaled import ScaledNet
from tests.support.architectures.ssd import Source, end

# Channels and stride of each depthwise-separable pair (Howard et al., "MobileNets", 2017).
PAIRS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
EXTRA = {14: (256, 512), 15: (128, 256), 16: (128, 256), 17: (64, 128)}
# Its input is (pixel - 127.5) / 127.5: about 0.5 away from 0, which needs no extra factor.


def mobilenet_ssd() -> ScaledNet:
    """MobileNet-SSD: input (3, 300, 300), 1917 default boxes."""
    net = ScaledNet("MobileNet-SSD", 300)
    blob = _step(net, "conv0", "data", 32, 3, 2)
    for index, (channels, stride) in enumerate(PAIRS, 1):
        blob = _step(net, f"conv{index}/dw", blob, net.channels[blob], 3, stride, depthwise=True)
        blob = _step(net, f"conv{index}", blob, channels, 1, 1)
    for index, (narrow, wide) in EXTRA.items():
        blob = _step(net, f"conv{index}_1", blob, narrow, 1, 1)
        blob = _step(net, f"conv{index}_2", blob, wide, 3, 2)
    sources = [
        Source("conv11", 60, 0, (2,), 0),
        Source("conv13", 105, 150, (2, 3), 0),
        Source("conv14_2", 150, 195, (2, 3), 0),
        Source("conv15_2", 195, 240, (2, 3), 0),
        Source("conv16_2", 240, 285, (2, 3), 0),
        Source("conv17_2", 285, 300, (2, 3), 0),
    ]
    settings: dict[str, object] = {
        "nms_param": {"nms_threshold": 0.45, "top_k": 100},
        "keep_top_k": 100,
        "confidence_threshold": 0.25,
    }
    return end(net, sources, 1, settings)


def _step(
    net: ScaledNet, name: str, bottom: str, channels: int, kernel: int, stride: int, depthwise: bool = False
) -> str:
    group = channels if depthwise else 1
    net.convolution(
        name, bottom, channels, kernel, stride=stride, pad=kernel // 2, group=group, bias=False, gain=2**0.5
    )
    net.normalised(name, f"{name}/bn", f"{name}/scale")
    return net.relu(f"{name}/relu", name)
