"""From files to rows: decode, detect, crop the best box, extract. Decoding runs a batch ahead, in threads.

A competent user's version: OpenCV releases the GIL while decoding, so threads are enough; only an SSD's best box is
cropped, so no suppression is needed.
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
    """Yields the rows of all images, a batch at a time."""
    cv2.setNumThreads(1)
    detector, extractor = (
        loaded(work.engine, net.onnx, work.batch, work.cores, work.precision) for net in (work.detector, work.extractor)
    )
    decode = BestBox(work.boxes)
    with ThreadPoolExecutor(work.cores) as pool:
        ahead = [pool.submit(read, path, work.detector) for path in islice(paths, work.batch)]
        while ahead:
            batch, ahead = ahead, [pool.submit(read, path, work.detector) for path in islice(paths, work.batch)]
            decoded = [future.result() for future in batch]
            maps = detector(np.concatenate([blob for _, _, blob in decoded]))
            boxes = [decode([one[index] for one in maps]) for index in range(len(decoded))]
            crops = [crop(pixels, box) for (_, pixels, _), (_, box) in zip(decoded, boxes, strict=True)]
            features = extractor(np.concatenate([blob_of(pixels, work.extractor) for pixels in crops]))[0]
            rows = zip(decoded, boxes, features, strict=True)
            yield [Row(path, score, *box, feature.ravel()) for (path, _, _), (score, box), feature in rows]


def read(path: str, net: Net) -> tuple[str, Pixels, Floats]:
    """Path, pixels and net input of an image."""
    pixels = cv2.imdecode(np.frombuffer(Path(path).read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    bgr = np.asarray(pixels, np.uint8)
    return path, bgr, blob_of(bgr, net)


def blob_of(pixels: Pixels, net: Net) -> Floats:
    """Pixels as a net's input, (1, 3, size, size)."""
    swapped = net.channels == "RGB"
    return np.asarray(cv2.dnn.blobFromImage(pixels, net.scale, (net.size, net.size), net.mean, swapped), np.float32)


def crop(pixels: Pixels, box: tuple[float, float, float, float]) -> Pixels:
    """Crops an image to a box in relative coordinates, to at least one pixel."""
    height, width = pixels.shape[:2]
    left, top = int(box[0] * width), int(box[1] * height)
    return pixels[top : max(top + 1, round(box[3] * height)), left : max(left + 1, round(box[2] * width))]


class BestBox:
    """Decodes the best box from an SSD's raw maps."""

    def __init__(self, boxes: Boxes) -> None:
        arrays: Any = np.load(boxes.arrays)
        corners, self._variances = arrays["priors"], arrays["variances"]
        self._boxes = boxes
        self._sizes = corners[:, 2:] - corners[:, :2]
        self._centers = (corners[:, 2:] + corners[:, :2]) / 2

    def __call__(self, maps: list[Floats]) -> tuple[float, tuple[float, float, float, float]]:
        """Score and relative corners of the best box; the whole image if no box reaches the threshold.

        Args:
            maps: Location maps, then confidence maps, each (channels, height, width).
        """
        half, settings = len(maps) // 2, self._boxes
        flat = [np.moveaxis(values, 0, 2).ravel() for values in maps]
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
