"""Turns images, as DeepBit does for its loss of rotation: what a turned image shows is what the image shows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from featx_retrieval.deepbit import ANGLES

AS_IT_IS = 0
QUALITY = 95


def write(images: Iterable[bytes], folder: Path) -> int:
    """Writes each image as it is and at each angle, one folder an angle; those that can't be decoded are left out.

    Args:
        images: Encoded images.
        folder: Where to.

    Returns:
        How many were written.
    """
    for angle in (AS_IT_IS, *ANGLES):
        (folder / str(angle)).mkdir(parents=True, exist_ok=True)
    count = 0
    for data in images:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        if image is None:
            continue
        for angle in (AS_IT_IS, *ANGLES):
            path = folder / str(angle) / f"{count:06}.jpg"
            cv2.imwrite(str(path), turned(image.astype(np.uint8), angle), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        count += 1
    return count


def turned(image: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """Returns an image (height, width, 3), turned about its centre; corners that it does not reach mirror it."""
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    found = cv2.warpAffine(image, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return found.astype(np.uint8)


def by_angle(keys: list[str], features: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Returns the features of a table over such a folder: as they are, then for each angle, images in one order.

    Args:
        keys: Of the table.
        features: (n, d), in the same order.
    """
    rows = {tuple(key.split("/")): row for row, key in enumerate(keys)}
    angles = [str(angle) for angle in (AS_IT_IS, *ANGLES)]
    names = sorted({name for _, name in rows})
    whole = [name for name in names if all((angle, name) in rows for angle in angles)]
    return [features[[rows[angle, name] for name in whole]] for angle in angles]
