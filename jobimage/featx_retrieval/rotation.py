"""Rotates images for DeepBit's rotation loss: a rotated image shows the same thing, so it should get the same bits."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from featx_retrieval.deepbit import ANGLES

ORIGINAL = 0
QUALITY = 95


def write(images: Iterable[bytes], folder: Path) -> int:
    """Writes each image as it is and at each angle, into one folder per angle. Skips images that can't be decoded.

    Args:
        images: Encoded images.
        folder: The parent of the folders.

    Returns:
        The number of images that were decoded.
    """
    for angle in (ORIGINAL, *ANGLES):
        (folder / str(angle)).mkdir(parents=True, exist_ok=True)
    count = 0
    for data in images:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        if image is None:
            continue
        for angle in (ORIGINAL, *ANGLES):
            path = folder / str(angle) / f"{count:06}.jpg"
            cv2.imwrite(str(path), rotate(image.astype(np.uint8), angle), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        count += 1
    return count


def rotate(image: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """An image (height, width, 3) rotated about its centre. Corners that it does not reach mirror it."""
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    rotated = cv2.warpAffine(image, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return rotated.astype(np.uint8)


def by_angle(keys: list[str], features: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """The features of the originals, then of each angle, with the same images in the same order.

    Args:
        keys: Keys of a table over the folders that `write` wrote.
        features: (n, d), in the same order.
    """
    rows = {tuple(key.split("/")): row for row, key in enumerate(keys)}
    angles = [str(angle) for angle in (ORIGINAL, *ANGLES)]
    names = sorted({name for _, name in rows})
    complete = [name for name in names if all((angle, name) in rows for angle in angles)]
    return [features[[rows[angle, name] for name in complete]] for angle in angles]
