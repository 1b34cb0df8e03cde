"""From files to rows: decode, detect, crop the best box, extract. Decoding runs a batch ahead, in threads.

A competent user's version: OpenCV gives the lock away while it decodes, so threads are enough; of an SSD's boxes only
the best one is cropped, so nothing has to be suppressed.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.bench.pipeline.baselines.engines import Floats, loaded
from tests.bench.pipeline.baselines.work import Boxes, Net, Work

Pixels = NDArray[np.uint8]


class Row(NamedTuple):
    """A row of the table."""

    key: str
    score: float
    x0: float
    y0: float
    x1: float
    y1: float
    feature: Floats


def batches(paths: Iterator[str], work: Work) -> Iterator[list[Row]]:
    """Returns a row for each image, a batch at a time."""
    cv2.setNumThreads(1)
    detector, extractor = (
        loaded(work.engine, net.onnx, work.batch, work.cores, work.precision) for net in (work.detector, work.extractor)
    )
    decode = Boxed(work.boxes)
    with ThreadPoolExecutor(work.cores) as pool:
        ahead = [pool.submit(read, path, work.detector) for path in islice(paths, work.batch)]
        while ahead:
            batch, ahead = ahead, [pool.submit(read, path, work.detector) for path in islice(paths, work.batch)]
            done = [each.result() for each in batch]
            maps = detector(np.concatenate([blob for _, _, blob in done]))
            found = [decode([one[index] for one in maps]) for index in range(len(done))]
            crops = [crop(pixels, box) for (_, pixels, _), (_, box) in zip(done, found, strict=True)]
            features = extractor(np.concatenate([blob_of(pixels, work.extractor) for pixels in crops]))[0]
            of_each = zip(done, found, features, strict=True)
            yield [Row(path, score, *box, feature.ravel()) for (path, _, _), (score, box), feature in of_each]


def read(path: str, net: Net) -> tuple[str, Pixels, Floats]:
    """Returns an image's pixels, and what they are as a net's input."""
    pixels = cv2.imdecode(np.frombuffer(Path(path).read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    bgr = np.asarray(pixels, np.uint8)
    return path, bgr, blob_of(bgr, net)


def blob_of(pixels: Pixels, net: Net) -> Floats:
    """Returns pixels as a net's input, (1, 3, size, size)."""
    swapped = net.channels == "RGB"
    return np.asarray(cv2.dnn.blobFromImage(pixels, net.scale, (net.size, net.size), net.mean, swapped), np.float32)


def crop(pixels: Pixels, box: tuple[float, float, float, float]) -> Pixels:
    """Returns the part of an image within a box of shares of its size; never less than a pixel."""
    height, width = pixels.shape[:2]
    left, top = int(box[0] * width), int(box[1] * height)
    return pixels[top : max(top + 1, round(box[3] * height)), left : max(left + 1, round(box[2] * width))]


class Boxed:
    """Makes the best box of an SSD's raw maps."""

    def __init__(self, boxes: Boxes) -> None:
        arrays: Any = np.load(boxes.arrays)
        corners, self._variances = arrays["priors"], arrays["variances"]
        self._boxes = boxes
        self._sizes = corners[:, 2:] - corners[:, :2]
        self._centers = (corners[:, 2:] + corners[:, :2]) / 2

    def __call__(self, maps: list[Floats]) -> tuple[float, tuple[float, float, float, float]]:
        """Returns score and corners as shares of the image; the whole image where no box is sure enough.

        Args:
            maps: Location maps, then confidence maps, each (channels, height, width).
        """
        half, settings = len(maps) // 2, self._boxes
        flat = [np.moveaxis(each, 0, 2).ravel() for each in maps]
        scores = np.concatenate(flat[half:]).reshape(-1, settings.classes)
        if settings.scores == "sigmoid":
            scores = 1 / (1 + np.exp(-scores))
        else:
            scores = np.exp(scores - scores.max(1, keepdims=True))
            scores /= scores.sum(1, keepdims=True)
        if settings.background >= 0:
            scores[:, settings.background] = 0
        best = int(scores.max(1).argmax())
        score = float(scores[best].max())
        if score < settings.threshold:
            return 0.0, (0.0, 0.0, 1.0, 1.0)
        move = np.concatenate(flat[:half]).reshape(-1, 4)[best] * self._variances
        center = self._centers[best] + move[:2] * self._sizes[best]
        size = self._sizes[best] * np.exp(move[2:]) * (1 + 2 * settings.margin)
        low, high = np.clip(center - size / 2, 0, 1), np.clip(center + size / 2, 0, 1)
        return score, (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
