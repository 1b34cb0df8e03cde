"""The nets that Featx supports, layer for layer as their authors published them, with random weights.

Trained weights of most are not available here, and comparing engines does not need them: it needs every layer at its
real size, with activations of ordinary magnitude for float32 (`ScaledNet`). Every call builds a new net, in about a
second per 100 million weights; nothing is cached.
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
