"""VGG16 (Simonyan and Zisserman, 2014) as in its authors' Caffe model, and its use in DeepBit."""

from __future__ import annotations

from featx_job.nets.caffe import caffe_pb2
from featx_job.nets.caffe.blobs import V1_TYPES
from google.protobuf import text_format

from tests.support.architectures.scaled import ScaledNet

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
# Pixels are about 64 away from the mean; activations after the first layer are about 1.
PIXELS = 1 / 64


def stages(net: ScaledNet, last_pool: tuple[int, int, int] = (2, 2, 0)) -> str:
    """Adds conv1_1 to pool5, with a given kernel, stride and padding for the last pooling; returns pool5."""
    blob = "data"
    for stage, (channels, count) in enumerate(STAGES, 1):
        for index in range(1, count + 1):
            place = f"{stage}_{index}"
            gain = PIXELS if blob == "data" else 1.0
            blob = net.convolution(f"conv{place}", blob, channels, 3, pad=1, relu=f"relu{place}", gain=gain)
        kernel, stride, pad = last_pool if stage == len(STAGES) else (2, 2, 0)
        blob = net.pooling(f"pool{stage}", blob, kernel, stride, pad=pad)
    return blob


def vgg16() -> ScaledNet:
    """VGG16: input (3, 224, 224), 138 million weights; `fc7` has 4096 units, `prob` 1000."""
    net = ScaledNet("VGG_ILSVRC_16_layers", 224)
    blob = net.product("fc6", stages(net), 4096, 512 * 7 * 7, relu="relu6")
    net.layer("Dropout", "drop6", [blob], blob)
    blob = net.product("fc7", blob, 4096, relu="relu7")
    net.layer("Dropout", "drop7", [blob], blob)
    net.layer("Softmax", "prob", [net.product("fc8", blob, 1000)])
    return net


def deepbit() -> ScaledNet:
    """DeepBit's deploy32 in one dialect: VGG16 whose last layers are `fc8_kevin`, 32 units, and `relu8_kevin`.

    Lin et al., "Learning compact binary descriptors with unsupervised deep neural networks" (CVPR 2016);
    `mixed_dialects` yields its prototxt as published.
    """
    net = ScaledNet("DeepBit32", 224)
    blob = net.product("fc6", stages(net), 4096, 512 * 7 * 7, relu="relu6")
    net.layer("Dropout", "drop6", [blob], blob)
    blob = net.product("fc7", blob, 4096, relu="relu7")
    net.product("fc8_kevin", blob, 32, relu="relu8_kevin")
    return net


def mixed_dialects(net: ScaledNet) -> str:
    """A net's prototxt with V1 `layers` except for the last, which is a V2 `layer`."""
    names = {new: old for old, new in V1_TYPES.items()}
    first, *middle, last = net.message.layer
    mixed = caffe_pb2.NetParameter(name=net.message.name, input=["data"])
    mixed.input_dim.extend([10, *first.input_param.shape[0].dim[1:]])
    for layer in middle:
        old = mixed.layers.add(name=layer.name, type=names[layer.type], bottom=layer.bottom, top=layer.top)
        for field, value in layer.ListFields():
            if field.name.endswith("_param"):
                getattr(old, field.name).CopyFrom(value)
    mixed.layer.add(name=last.name, type=last.type, bottom=last.bottom, top=last.top)
    return text_format.MessageToString(mixed)
