"""The operations of a net: one dataclass per operation, with the field's usual name and its weights.

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
    """Passes its input on: Dropout and Split at inference. Its name stays available to users."""


@dataclass(frozen=True, eq=False)
class Affine:
    """x * scale + shift per channel, both (channels,), float32: BatchNorm and Scale at inference."""

    scale: Array
    shift: Array


@dataclass(frozen=True)
class Relu:
    """max(x, 0), or slope * x below zero."""

    slope: float = 0.0


@dataclass(frozen=True)
class Pooling:
    """Caffe's pooling: output sizes are rounded up, and a last window that starts in the padding is dropped."""

    method: Literal["max", "average"]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int] = (0, 0)
    round_up: bool = True


@dataclass(frozen=True)
class Eltwise:
    """Elementwise over two or more inputs of one shape; a sum may have a factor per input (none: all 1)."""

    method: Literal["sum", "product", "max"]
    factors: tuple[float, ...] = ()


@dataclass(frozen=True)
class Concat:
    """Concatenates inputs along an axis, counted with the batch as axis 0."""

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
    """L2 norm across channels at each position, then a scale per channel (caffe-ssd's Normalize)."""

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
    """Changes the shape; 0 keeps an axis, -1 is inferred; counted with the batch as axis 0."""

    dims: tuple[int, ...]


@dataclass(frozen=True)
class PriorBox:
    """caffe-ssd's default boxes of one map; sizes in pixels, one (height, width) step or None.

    Boxes are relative to `image` (height, width), or to the net's input if that is None.
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
    """Default boxes stored in the model, as in nets that were not trained in Caffe; it reads no layer.

    `boxes` is (n, 4) float32: x0, y0, x1, y1, relative to the input; `variances` is (4,) float32.
    """

    boxes: Array
    variances: Array


@dataclass(frozen=True)
class DetectionOutput:
    """caffe-ssd's last layer: decodes boxes, suppresses overlapping ones, and keeps the best."""

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
