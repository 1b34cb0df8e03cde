"""The executors' decoder in a JVM without Spark, and Pillow as the reference."""

from __future__ import annotations

import io
import time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from py4j.protocol import Py4JJavaError

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)


class Decoded(NamedTuple):
    """A decoded image: RGB pixels, and whether only a part of it could be decoded."""

    pixels: Pixels
    damaged: bool


class Quarantined(Exception):
    """The executor rejects an image, with a reason and a message of the quarantine."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason, self.message = reason, message


class Decoder:
    """Decodes like an executor."""

    def __init__(self, gateway: Any) -> None:
        self._gateway, self._jvm = gateway, gateway.jvm

    def decode(self, data: bytes, background: Colour = WHITE, keep: bool = False) -> Decoded:
        """Decodes an image.

        Args:
            data: The encoded image.
            background: Red, green and blue behind transparent pixels.
            keep: Whether a damaged image is decoded as far as possible.

        Raises:
            Quarantined: It can't be decoded.
        """
        image = self._jvm.dev.featx.image
        colour = self._gateway.new_array(self._jvm.int, 3)
        for channel, value in enumerate(background):
            colour[channel] = value
        encoded = bytearray(data)
        try:
            decoded = image.Decoder.decode(encoded, image.ImageHeader.of(encoded), image.Decoding(colour, keep))
        except Py4JJavaError as error:
            problem = error.java_exception
            if problem.getClass().getSimpleName() != "ImageProblem":
                raise
            raise Quarantined(problem.reason().label(), problem.getMessage()) from None
        return Decoded(self._pixels(decoded.pixels()), decoded.damaged())

    def size(self, data: bytes) -> tuple[int, int]:
        """Width and height as in the header."""
        header = self._jvm.dev.featx.image.ImageHeader.of(bytearray(data))
        return header.width(), header.height()

    def milliseconds(self, data: bytes, rounds: int) -> float:
        """The best time of several to read an image's header and decode it, without the transfers to the JVM."""
        image, encoded = self._jvm.dev.featx.image, bytearray(data)
        decoding = image.Decoding(self._gateway.new_array(self._jvm.int, 3), False)
        times, transfers = list[float](), list[float]()
        for _ in range(rounds):
            started = time.perf_counter()
            decoded = image.Decoder.decode(encoded, image.ImageHeader.of(encoded), decoding)
            times.append(time.perf_counter() - started)
            decoded.pixels().release()
            started = time.perf_counter()
            self._jvm.java.util.Arrays.hashCode(encoded)
            transfers.append(time.perf_counter() - started)
        return 1000 * max(0.0, min(times) - 2 * min(transfers))

    def _pixels(self, matrix: Any) -> Pixels:
        opencv = self._jvm.org.opencv
        encoded = opencv.core.MatOfByte()
        opencv.imgcodecs.Imgcodecs.imencode(".bmp", matrix, encoded)
        matrix.release()
        return np.asarray(Image.open(io.BytesIO(encoded.toArray())).convert("RGB"))


def by_pillow(data: bytes, background: Colour = WHITE) -> Pixels:
    """RGB pixels of an image as Pillow decodes it: upright, on a background, the upper eight of sixteen bits."""
    with Image.open(io.BytesIO(data)) as opened:
        opened.load()
        image = ImageOps.exif_transpose(opened)
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, (*background, 255)), image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))


def difference(one: Pixels, other: Pixels) -> tuple[int, float]:
    """The largest and the mean difference of two images of the same size."""
    assert one.shape == other.shape
    distance = np.abs(one.astype(int) - other)
    return int(distance.max()), float(distance.mean())
