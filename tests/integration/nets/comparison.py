"""Outputs of OpenCV's Caffe importer, and their distance from the engine's."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SUPPRESSED = 0.45  # the overlap above which SSDs suppress one of two boxes
SAME_SCORE = 3e-6  # relative: a few float32 steps


def blobs(images: list[NDArray[np.uint8]], size: int, mean: tuple[int, int, int]) -> Floats:
    """The images as a net's input: (n, 3, size, size), BGR minus the mean."""
    inputs = [cv2.dnn.blobFromImage(image, 1.0, (size, size), mean) for image in images]
    return np.concatenate(inputs).astype(np.float32)


def opencv(prototxt: str, caffemodel: bytes) -> cv2.dnn.Net:
    """A Caffe model loaded by OpenCV."""
    return cv2.dnn.readNetFromCaffe(np.frombuffer(prototxt.encode(), np.uint8), np.frombuffer(caffemodel, np.uint8))


def outputs(net: cv2.dnn.Net, inputs: Floats, names: list[str]) -> list[Floats]:
    """The outputs of layers, each (n, values per image)."""
    parts = []
    for start in range(len(inputs)):
        net.setInput(inputs[start : start + 1])
        parts.append([np.asarray(output, np.float32).reshape(1, -1) for output in net.forward(names)])
    return [np.concatenate(output) for output in zip(*parts, strict=True)]


def boxes(net: cv2.dnn.Net, inputs: Floats, threshold: float = 0) -> list[Floats]:
    """Detections above a score per image, best first: rows of class, score, x0, y0, x1, y1."""
    detections: list[Floats] = []
    for start in range(len(inputs)):
        net.setInput(inputs[start : start + 1])
        rows = net.forward().astype(np.float32).reshape(-1, 7)[:, 1:]
        rows = rows[rows[:, 1] > threshold]
        detections.append(rows[np.argsort(-rows[:, 1], kind="stable")])
    return detections


def distance(actual: Floats, expected: Floats) -> float:
    """The largest difference, relative to the largest expected value of the same image."""
    flat, target = actual.reshape(len(actual), -1), expected.reshape(len(expected), -1)
    return float((np.abs(flat - target).max(1) / np.abs(target).max(1)).max())


def matched(actual: Floats, expected: Floats, width: int, height: int) -> tuple[float, float]:
    """Pairs every expected box with the nearest unpaired one of its class.

    Boxes of nearly equal scores may swap, so order is not compared. Of two overlapping boxes, either may be kept if
    their scores differ only by rounding, as they do all over an image's uniform background.

    Returns:
        The largest difference of a box edge, in pixels, and of a score, relative.
    """
    pixels, relative, left = 0.0, 0.0, list(range(len(actual)))
    for row in expected:
        distances = [_edges(actual[index], row, width, height) for index in left]
        nearest = int(np.argmin(distances))
        if distances[nearest] >= 1 and any(_rivals(box, row, width, height) for box in actual):
            continue
        match = actual[left.pop(nearest)]
        pixels = max(pixels, distances[nearest])
        relative = max(relative, abs(float(match[1]) / float(row[1]) - 1))
    return pixels, relative


def _rivals(one: Floats, other: Floats, width: int, height: int) -> bool:
    """Whether only rounding decides which of two boxes non-maximum suppression keeps."""
    scale = np.array([width, height] * 2)
    (left, top, right, bottom), (x0, y0, x1, y1) = one[2:] * scale, other[2:] * scale
    shared = max(0.0, min(right, x1) - max(left, x0)) * max(0.0, min(bottom, y1) - max(top, y0))
    union = (right - left) * (bottom - top) + (x1 - x0) * (y1 - y0) - shared
    same = one[0] == other[0] and abs(float(one[1]) / float(other[1]) - 1) < SAME_SCORE
    return bool(same and shared > SUPPRESSED * union)


def _edges(actual: Floats, expected: Floats, width: int, height: int) -> float:
    if actual[0] != expected[0]:
        return float("inf")
    return float((np.abs(actual[2:] - expected[2:]) * [width, height, width, height]).max())
