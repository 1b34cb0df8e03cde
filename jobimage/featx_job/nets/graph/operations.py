"""The operations of a net: one dataclass per operation, named as the field names it, with its weights in it.

Shapes have no batch axis: (channels, height, width) for maps, (units,) for vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution: weight (out, in/groups, kernel height, kernel width), bias (out,), float32."""

    weight: Array
    bias: Array
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1


@dataclass(frozen=True, eq=False)
class FullyConnected:
    """A matrix product over the flattened input: weight (out, in), bias (out,), float32."""

    weight: Array
    bias: Array


@dataclass(frozen=True)
class Identity:
    """Passes its input on: Dropout and Split at inference. It keeps a name that a user may ask for."""


@dataclass(frozen=True, eq=False)
class Affine:
    """Per channel x * scale + shift, both (channels,), float32: what BatchNorm and Scale are at inference."""

    scale: Array
    shift: Array


@dataclass(frozen=True)
class Relu:
    """max(x, 0), or slope * x below zero."""

    slope: float = 0.0


@dataclass(frozen=True)
class Pooling:
    """Caffe's pooling: output sizes are rounded up, and a last window that begins in the padding is left out."""

    method: Literal["max", "average"]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int] = (0, 0)
    round_up: bool = True


@dataclass(frozen=True)
class Eltwise:
    """Elementwise over two or more inputs of one shape; a sum may have a factor for each input (none: all 1)."""

    method: Literal["sum", "product", "max"]
    factors: tuple[float, ...] = ()


@dataclass(frozen=True)
class Concat:
    """Joins inputs along an axis, counted with the batch as axis 0."""

    axis: int = 1


@dataclass(frozen=True)
class Softmax:
    """Softmax along an axis, counted with the batch as axis 0."""

    axis: int = 1


@dataclass(frozen=True)
class Clip:
    """min(max(x, low), high); ReLU6 is Clip(0, 6)."""

    low: float
    high: float


@dataclass(frozen=True)
class Sigmoid:
    """1 / (1 + exp(-x))."""


@dataclass(frozen=True)
class Power:
    """(shift + scale * x) ** power."""

    power: float = 1.0
    scale: float = 1.0
    shift: float = 0.0


@dataclass(frozen=True)
class LocalResponse:
    """Local response normalisation across channels (Caffe's LRN)."""

    size: int
    alpha: float
    beta: float
    k: float


@dataclass(frozen=True, eq=False)
class Normalize:
    """L2 norm across channels at each position, then a scale for each channel (caffe-ssd's Normalize)."""

    scale: Array
    epsilon: float


@dataclass(frozen=True)
class Permute:
    """Reorders axes, counted with the batch as axis 0."""

    order: tuple[int, ...]


@dataclass(frozen=True)
class Flatten:
    """Flattens all axes but the batch."""


@dataclass(frozen=True)
class Reshape:
    """Changes the shape; 0 keeps an axis, -1 is worked out; counted with the batch as axis 0."""

    dims: tuple[int, ...]


@dataclass(frozen=True)
class PriorBox:
    """caffe-ssd's default boxes of one map; sizes in pixels, one (height, width) step or none.

    Boxes are relative to `image` (height, width), or to the net's input where that is none.
    """

    min_sizes: tuple[float, ...]
    max_sizes: tuple[float, ...]
    aspect_ratios: tuple[float, ...]
    flip: bool
    clip: bool
    variances: tuple[float, ...]
    step: tuple[float, float] | None
    offset: float
    image: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class Priors:
    """Default boxes that a model carries as numbers, as nets do that were not trained in Caffe; it reads no layer.

    `boxes` is (n, 4) float32: x0, y0, x1, y1, relative to the input; `variances` is (4,) float32.
    """

    boxes: Array
    variances: Array


@dataclass(frozen=True)
class DetectionOutput:
    """caffe-ssd's last layer: decode, suppress, keep."""

    classes: int
    background: int
    nms_threshold: float
    top_k: int
    keep_top_k: int
    confidence_threshold: float
    variance_in_target: bool


Operation = (
    Convolution
    | FullyConnected
    | Identity
    | Affine
    | Relu
    | Pooling
    | Eltwise
    | Concat
    | Softmax
    | Sigmoid
    | Clip
    | Power
    | LocalResponse
    | Normalize
    | Permute
    | Flatten
    | Reshape
    | PriorBox
    | Priors
    | DetectionOutput
)
