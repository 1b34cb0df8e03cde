"""A Caffe net whose random weights keep activations at one size from the first layer to the last.

He et al., "Delving deep into rectifiers" (2015): weights of variance 2/inputs where a ReLU follows, 1/inputs where none
does. Anything else dies out or overflows within the 16 layers of VGG, and then a comparison of engines says nothing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.caffe_nets import CaffeNet

Floats = NDArray[np.float32]


class ScaledNet(CaffeNet):
    """A net in the making that knows how many channels each blob has, and fills in weights."""

    def __init__(self, name: str, size: int) -> None:
        """Begins a net whose input `data` has the shape (1, 3, size, size)."""
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
        """Adds a convolution, and a ReLU in place where it is given a name.

        Args:
            name: The layer's name, and its blob's.
            bottom: What it reads.
            channels: Channels of its output.
            kernel: Height and width of a window.
            stride: Step of the window.
            pad: Zeros on each side.
            group: Groups; as many as channels make it depthwise.
            dilation: Distance between a window's taps.
            bias: Whether it has one.
            relu: Name of the ReLU that follows, or nothing.
            gain: Factor of the weights.

        Returns:
            The blob that it writes.
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
        """Adds an InnerProduct over `inputs` numbers (the blob's channels where 0), and a ReLU as above."""
        shape = (units, inputs or self.channels[bottom])
        blobs = [self._weights(shape, math.sqrt(2) if relu else 1), self._normal((units,), 0.1)]
        self.layer("InnerProduct", name, [bottom], blobs=blobs, inner_product_param={"num_output": units})
        self.channels[name] = units
        return self.relu(relu, name) if relu else name

    def normalised(self, bottom: str, batch_norm: str, scale: str, gain: float = 1.0) -> str:
        """Adds BatchNorm and Scale in place, whose statistics are those of what He's weights give, roughly."""
        channels = self.channels[bottom]
        # Caffe keeps sums over batches, and their number as the third blob.
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
        """Adds a pooling; a kernel of 0 is the whole map."""
        settings: dict[str, Any] = {"pool": method}
        settings |= {"global_pooling": True} if not kernel else {"kernel_size": kernel, "stride": stride}
        if pad:
            settings["pad"] = pad
        self.channels[name] = self.channels[bottom]
        return self.layer("Pooling", name, [bottom], pooling_param=settings)

    def concat(self, name: str, bottoms: list[str]) -> str:
        """Joins channels."""
        self.channels[name] = sum(self.channels[bottom] for bottom in bottoms)
        return self.layer("Concat", name, bottoms)

    def _weights(self, shape: tuple[int, ...], gain: float) -> Floats:
        return self._normal(shape, gain / math.sqrt(math.prod(shape[1:])))

    def _normal(self, shape: tuple[int, ...], deviation: float) -> Floats:
        values = self._random.standard_normal(shape, np.float32)
        values *= np.float32(deviation)
        return values
