"""SqueezeNet v1.1 as in its authors' Caffe model (Iandola et al., 2016): no fully connected layer."""

from __future__ import annotations

from tests.support.architectures.scaled import ScaledNet
from tests.support.architectures.vgg import PIXELS

# For each fire module: channels of its squeeze, and of each of its two expansions.
FIRES = {2: (16, 64), 3: (16, 64), 4: (32, 128), 5: (32, 128), 6: (48, 192), 7: (48, 192), 8: (64, 256), 9: (64, 256)}


def squeezenet() -> ScaledNet:
    """SqueezeNet: input (3, 227, 227); `fire9/concat` has 512 maps, `prob` 1000 units."""
    net = ScaledNet("squeezenet_v1.1", 227)
    blob = net.pooling("pool1", net.convolution("conv1", "data", 64, 3, stride=2, relu="relu_conv1", gain=PIXELS), 3, 2)
    for index, (narrow, wide) in FIRES.items():
        blob = _fire(net, f"fire{index}", blob, narrow, wide)
        if index in (3, 5):
            blob = net.pooling(f"pool{index}", blob, 3, 2)
    net.layer("Dropout", "drop9", [blob], blob)
    blob = net.convolution("conv10", blob, 1000, 1, relu="relu_conv10")
    net.layer("Softmax", "prob", [net.pooling("pool10", blob, 0, 0, method="AVE")])
    return net


def _fire(net: ScaledNet, name: str, bottom: str, narrow: int, wide: int) -> str:
    squeezed = net.convolution(f"{name}/squeeze1x1", bottom, narrow, 1, relu=f"{name}/relu_squeeze1x1")
    expanded = [
        net.convolution(f"{name}/expand{k}x{k}", squeezed, wide, k, pad=k // 2, relu=f"{name}/relu_expand{k}x{k}")
        for k in (1, 3)
    ]
    return net.concat(f"{name}/concat", expanded)
