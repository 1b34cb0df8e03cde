"""A Caffe net whose random weights keep activations at the same magnitude from the first layer to the last.

He et al., "Delving deep into rectifiers" (2015): weights of variance 2/inputs before a ReLU, 1/inputs otherwise.
With anything else activations vanish or overflow within the 16 layers of VGG, and comparing engines says nothing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.caffe_nets import CaffeNet

Floats = NDArray[np.float32]


class ScaledNet(CaffeNet):
    """A net under construction that tracks the channels of every blob and fills in weights."""

    def __init__(self, name: str, size: int) -> None:
        """Starts a net whose input `data` has the shape (1, 3, size, size)."""
        super().__init__(3, size, size, name=name)
        self._random = np.random.default_rng(size)
        self.channels = {"data": 3}

    def convolution(
        self,
        name: str,
        bottom: str,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        pad: int = 0,
        group: int = 1,
        dilation: int = 1,
        bias: bool = True,
        relu: str = "",
        gain: float = 1.0,
    ) -> str:
        """Adds a convolution, and an in-place ReLU if named.

        Args:
            name: Name of the layer and its blob.
            bottom: Input blob.
            channels: Output channels.
            kernel: Window height and width.
            stride: Window step.
            pad: Zeros on each side.
            group: Groups; as many as channels for a depthwise convolution.
            dilation: Distance between a window's taps.
            bias: Whether to add a bias.
            relu: Name of the following ReLU, if any.
            gain: Factor for the weights.

        Returns:
            The output blob.
        """
        shape = (channels, self.channels[bottom] // group, kernel, kernel)
        blobs = [self._weights(shape, gain * (math.sqrt(2) if relu else 1))]
        if bias:
            blobs.append(self._normal((channels,), 0.1 * gain))
        settings: dict[str, Any] = {"num_output": channels, "kernel_size": [kernel], "bias_term": bias}
        given = {"stride": (stride, 1), "pad": (pad, 0), "dilation": (dilation, 1)}
        settings |= {key: [value] for key, (value, default) in given.items() if value != default}
        if group > 1:
            settings["group"] = group
        self.layer("Convolution", name, [bottom], blobs=blobs, convolution_param=settings)
        self.channels[name] = channels
        return self.relu(relu, name) if relu else name

    def product(self, name: str, bottom: str, units: int, inputs: int = 0, *, relu: str = "") -> str:
        """Adds an InnerProduct over `inputs` numbers (the blob's channels if 0), and a ReLU as above."""
        shape = (units, inputs or self.channels[bottom])
        blobs = [self._weights(shape, math.sqrt(2) if relu else 1), self._normal((units,), 0.1)]
        self.layer("InnerProduct", name, [bottom], blobs=blobs, inner_product_param={"num_output": units})
        self.channels[name] = units
        return self.relu(relu, name) if relu else name

    def normalised(self, bottom: str, batch_norm: str, scale: str, gain: float = 1.0) -> str:
        """Adds in-place BatchNorm and Scale with roughly the statistics that He's weights yield."""
        channels = self.channels[bottom]
        # Caffe stores sums over batches, and the number of batches as the third blob.
        count = np.float32(3)
        mean, variance = self._normal((channels,), 0.3), self._random.uniform(0.7, 1.4, channels).astype(np.float32)
        self.layer("BatchNorm", batch_norm, [bottom], bottom, [mean * count, variance * count, [count]])
        factor = gain * self._random.uniform(0.7, 1.3, channels)
        self.layer(
            "Scale", scale, [bottom], bottom, [factor, self._normal((channels,), 0.1)], scale_param={"bias_term": True}
        )
        return bottom

    def relu(self, name: str, bottom: str) -> str:
        """Adds a ReLU in place."""
        return self.layer("ReLU", name, [bottom], bottom)

    def pooling(self, name: str, bottom: str, kernel: int, stride: int, *, pad: int = 0, method: str = "MAX") -> str:
        """Adds a pooling layer; a kernel of 0 covers the whole map."""
        settings: dict[str, Any] = {"pool": method}
        settings |= {"global_pooling": True} if not kernel else {"kernel_size": kernel, "stride": stride}
        if pad:
            settings["pad"] = pad
        self.channels[name] = self.channels[bottom]
        return self.layer("Pooling", name, [bottom], pooling_param=settings)

    def concat(self, name: str, bottoms: list[str]) -> str:
        """Concatenates channels."""
        self.channels[name] = sum(self.channels[bottom] for bottom in bottoms)
        return self.layer("Concat", name, bottoms)

    def _weights(self, shape: tuple[int, ...], gain: float) -> Floats:
        return self._normal(shape, gain / math.sqrt(math.prod(shape[1:])))

    def _normal(self, shape: tuple[int, ...], deviation: float) -> Floats:
        values = self._random.standard_normal(shape, np.float32)
        values *= np.float32(deviation)
        return values
