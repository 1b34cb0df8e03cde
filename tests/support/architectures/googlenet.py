"""GoogLeNet as in BVLC's Caffe model (Szegedy et al., 2014): Inception modules, and LRN across channels."""

from __future__ import annotations

from tests.support.architectures.scaled import ScaledNet

# For each module: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection.
MODULES = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
PIXELS = 1 / 2  # LRN with alpha 0.0001 has no effect on activations of 1


def googlenet() -> ScaledNet:
    """GoogLeNet: input (3, 224, 224); `pool5/7x7_s1` has 1024 units, `prob` 1000."""
    net = ScaledNet("GoogleNet", 224)
    blob = net.convolution("conv1/7x7_s2", "data", 64, 7, stride=2, pad=3, relu="conv1/relu_7x7", gain=PIXELS)
    blob = _lrn(net, "pool1/norm1", net.pooling("pool1/3x3_s2", blob, 3, 2))
    blob = net.convolution("conv2/3x3_reduce", blob, 64, 1, relu="conv2/relu_3x3_reduce")
    blob = net.convolution("conv2/3x3", blob, 192, 3, pad=1, relu="conv2/relu_3x3")
    blob = net.pooling("pool2/3x3_s2", _lrn(net, "conv2/norm2", blob), 3, 2)
    for name, widths in MODULES.items():
        blob = _inception(net, f"inception_{name}", blob, widths)
        if name in ("3b", "4e"):
            blob = net.pooling(f"pool{name[0]}/3x3_s2", blob, 3, 2)
    blob = net.pooling("pool5/7x7_s1", blob, 7, 1, method="AVE")
    net.layer("Dropout", "pool5/drop_7x7_s1", [blob], blob)
    net.layer("Softmax", "prob", [net.product("loss3/classifier", blob, 1000)])
    return net


def _lrn(net: ScaledNet, name: str, bottom: str) -> str:
    net.channels[name] = net.channels[bottom]
    return net.layer("LRN", name, [bottom], lrn_param={"local_size": 5, "alpha": 0.0001, "beta": 0.75})


def _inception(net: ScaledNet, name: str, bottom: str, widths: tuple[int, ...]) -> str:
    one, reduce3, three, reduce5, five, projection = widths

    def step(part: str, below: str, channels: int, kernel: int) -> str:
        place = f"{name}/{part}"
        return net.convolution(place, below, channels, kernel, pad=kernel // 2, relu=f"{name}/relu_{part}")

    branches = [
        step("1x1", bottom, one, 1),
        step("3x3", step("3x3_reduce", bottom, reduce3, 1), three, 3),
        step("5x5", step("5x5_reduce", bottom, reduce5, 1), five, 5),
        step("pool_proj", net.pooling(f"{name}/pool", bottom, 3, 1, pad=1), projection, 1),
    ]
    return net.concat(f"{name}/output", branches)
