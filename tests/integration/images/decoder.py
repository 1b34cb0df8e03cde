"""The executors' decoder in a JVM without Spark, and Pillow as the reference."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def _rejections() -> Iterator[None]:
    try:
        yield
    except Py4JJavaError as error:
        problem = error.java_exception
        if problem.getClass().getSimpleName() != "ImageProblem":
            raise
        raise Quarantined(problem.reason().label(), problem.getMessage()) from None


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
        with _rejections():
            decoded = image.Decoder.decode(encoded, image.ImageHeader.of(encoded), image.Decoding(colour, keep))
        return Decoded(self._pixels(decoded.pixels()), decoded.damaged())

    @property
    def process(self) -> int:
        """Number of the JVM's process."""
        return int(self._jvm.java.lang.ProcessHandle.current().pid())

    def size(self, data: bytes) -> tuple[int, int]:
        """Width and height as in the header, or Quarantined."""
        with _rejections():
            header = self._jvm.dev.featx.image.ImageHeader.of(bytearray(data))
        return header.width(), header.height()

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
