"""The nets that Featx is made for, layer for layer as their authors published them, with random weights.

Trained weights of most of them can't be had here, and a comparison of engines needs none: it needs every layer, at its
real size, with activations of a size that float32 is used to (`ScaledNet`). A net is made anew at each call, in about a
second for each 100 million weights; nothing is kept.
"""

from __future__ import annotations

from tests.support.architectures.googlenet import googlenet
from tests.support.architectures.mobilenet import mobilenet_ssd
from tests.support.architectures.resnet import resnet50
from tests.support.architectures.scaled import ScaledNet
from tests.support.architectures.squeezenet import squeezenet
from tests.support.architectures.ssd import vgg16_ssd300, vgg16_ssd512
from tests.support.architectures.vgg import deepbit, mixed_dialects, vgg16

__all__ = [
    "ScaledNet",
    "deepbit",
    "googlenet",
    "mixed_dialects",
    "mobilenet_ssd",
    "resnet50",
    "squeezenet",
    "vgg16",
    "vgg16_ssd300",
    "vgg16_ssd512",
]
