"""The whole pipeline again in OpenCV: decode, resize, SSD, crop, extractor; profiles by Pillow. Both must match."""

from __future__ import annotations

import io
import math
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from tests.support.models import CaffeFiles

Pixels = NDArray[np.uint8]
Mean = tuple[float, float, float]


class Row(NamedTuple):
    """The expected row: box in pixels; score and class are None if nothing was detected and the whole image used."""

    box: tuple[float, float, float, float]
    score: float | None
    category: int | None
    feature: NDArray[np.float32]
    size: tuple[int, int]


class Reference:
    """Two nets loaded by OpenCV's Caffe importer, and the policy for cropping the best box."""

    def __init__(
        self,
        detector: tuple[CaffeFiles, int, Mean],
        extractor: tuple[CaffeFiles, int, Mean],
        layer: str,
        margin: float,
        threshold: float = 0.5,
    ) -> None:
        """Loads the nets, each given with its input size and channel means."""
        (detector_files, *self._detector_input), (extractor_files, *self._extractor_input) = detector, extractor
        self._detector = cv2.dnn.readNetFromCaffe(*map(str, detector_files))
        self._extractor = cv2.dnn.readNetFromCaffe(*map(str, extractor_files))
        self._layer, self._margin, self._threshold = layer, margin, threshold

    def row(self, data: bytes) -> Row:
        """The row that the table must contain for an image."""
        image = _decoded(data)
        height, width = image.shape[:2]
        box, score, category = self._best(image)
        left, top, right, bottom = self._crop(box, width, height)
        feature = self._forward(
            self._extractor, image[top:bottom, left:right], self._extractor_input, self._layer
        ).ravel()
        return Row(box, score, category, feature, (width, height))

    def _best(self, image: Pixels) -> tuple[tuple[float, float, float, float], float | None, int | None]:
        height, width = image.shape[:2]
        detections = self._forward(self._detector, image, self._detector_input, None).reshape(-1, 7)
        for _, category, score, *relative in sorted(detections.tolist(), key=lambda row: -row[2]):
            x0, y0, x1, y1 = (min(1.0, max(0.0, share)) for share in relative)
            if score >= self._threshold and x1 > x0 and y1 > y0:
                return (x0 * width, y0 * height, x1 * width, y1 * height), score, int(category)
        return (0.0, 0.0, float(width), float(height)), None, None

    def _crop(self, box: tuple[float, float, float, float], width: int, height: int) -> tuple[int, int, int, int]:
        x0, y0, x1, y1 = box
        sideways, upwards = self._margin * (x1 - x0), self._margin * (y1 - y0)
        left, top = max(0, math.floor(x0 - sideways)), max(0, math.floor(y0 - upwards))
        return left, top, min(width, math.ceil(x1 + sideways)), min(height, math.ceil(y1 + upwards))

    def _forward(self, net: Any, image: Pixels, input_settings: list[Any], layer: str | None) -> NDArray[np.float32]:
        side, mean = input_settings
        net.setInput(cv2.dnn.blobFromImage(image, 1.0, (side, side), mean, swapRB=False, crop=False))
        output = net.forward(layer) if layer else net.forward()
        return np.asarray(output, np.float32)


def _decoded(data: bytes) -> Pixels:
    """The image's pixels in sRGB, in the order BGR."""
    pixels = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    image = Image.open(io.BytesIO(data))
    if image.mode != "RGB" or not (embedded := image.info.get("icc_profile")):
        return pixels
    profile = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
    if "sRGB" in ImageCms.getProfileDescription(profile):
        return pixels
    colours = Image.fromarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
    converted = ImageCms.profileToProfile(colours, profile, ImageCms.createProfile("sRGB"))
    return np.asarray(cv2.cvtColor(np.asarray(converted), cv2.COLOR_RGB2BGR), np.uint8)
