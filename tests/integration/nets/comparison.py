"""What OpenCV's Caffe importer says of a model, and how far the engine is from it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SUPPRESSED = 0.45  # the overlap from which SSDs keep one box of two
SAME_SCORE = 3e-6  # relative: some steps of a float


def blobs(images: list[NDArray[np.uint8]], size: int, mean: tuple[int, int, int]) -> Floats:
    """Returns the images as the input of a net: (n, 3, size, size), BGR less the mean."""
    made = [cv2.dnn.blobFromImage(image, 1.0, (size, size), mean) for image in images]
    return np.concatenate(made).astype(np.float32)


def opencv(prototxt: str, caffemodel: bytes) -> cv2.dnn.Net:
    """Returns OpenCV's net of a Caffe model."""
    return cv2.dnn.readNetFromCaffe(np.frombuffer(prototxt.encode(), np.uint8), np.frombuffer(caffemodel, np.uint8))


def outputs(net: cv2.dnn.Net, inputs: Floats, names: list[str]) -> list[Floats]:
    """Returns the outputs of layers, each (n, numbers of an image)."""
    parts = []
    for start in range(len(inputs)):
        net.setInput(inputs[start : start + 1])
        parts.append([np.asarray(output, np.float32).reshape(1, -1) for output in net.forward(names)])
    return [np.concatenate(output) for output in zip(*parts, strict=True)]


def boxes(net: cv2.dnn.Net, inputs: Floats, threshold: float = 0) -> list[Floats]:
    """Returns each image's detections above a score, best first: rows of class, score, x0, y0, x1, y1."""
    found: list[Floats] = []
    for start in range(len(inputs)):
        net.setInput(inputs[start : start + 1])
        rows = net.forward().astype(np.float32).reshape(-1, 7)[:, 1:]
        rows = rows[rows[:, 1] > threshold]
        found.append(rows[np.argsort(-rows[:, 1], kind="stable")])
    return found


def distance(actual: Floats, expected: Floats) -> float:
    """Returns the largest difference as a share of the largest expected value of the same image."""
    flat, wanted = actual.reshape(len(actual), -1), expected.reshape(len(expected), -1)
    return float((np.abs(flat - wanted).max(1) / np.abs(wanted).max(1)).max())


def matched(actual: Floats, expected: Floats, width: int, height: int) -> tuple[float, float]:
    """Pairs each expected box with the nearest of the same class, once.

    Boxes of nearly equal scores may change places, so order is not compared. Of two that overlap, either one may be
    kept if their scores are the same but for rounding, as they are all over an image's even background.

    Returns:
        The largest difference of a box's edge in pixels, and of a score, relative.
    """
    pixels, relative, left = 0.0, 0.0, list(range(len(actual)))
    for row in expected:
        distances = [_edges(actual[index], row, width, height) for index in left]
        nearest = int(np.argmin(distances))
        if distances[nearest] >= 1 and any(_rivals(each, row, width, height) for each in actual):
            continue
        found = actual[left.pop(nearest)]
        pixels = max(pixels, distances[nearest])
        relative = max(relative, abs(float(found[1]) / float(row[1]) - 1))
    return pixels, relative


def _rivals(one: Floats, other: Floats, width: int, height: int) -> bool:
    """Returns whether non-maximum suppression keeps one or the other by their scores' last digits."""
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
