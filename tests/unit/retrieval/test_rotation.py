"""Rotated images keep their size and centre, and features of one image stay together."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from featx_retrieval.deepbit import ANGLES
from featx_retrieval.rotation import by_angle, rotate, write


def test_a_rotated_image_keeps_its_size_and_centre() -> None:
    image = np.full((60, 90, 3), 40, np.uint8)
    image[28:32, 43:47] = 250
    rotated = rotate(image, 10)
    assert rotated.shape == image.shape
    assert rotated[30, 45].min() > 200
    assert rotated.min() >= 40  # corners mirror the edges instead of being black


def test_files_that_are_not_images_are_skipped_at_every_angle(tmp_path: Path) -> None:
    encoded = cv2.imencode(".png", np.full((20, 20, 3), 90, np.uint8))[1].tobytes()
    assert write([encoded, b"", b"no image", encoded], tmp_path) == 2
    assert {len(list(folder.iterdir())) for folder in tmp_path.iterdir()} == {2}
    assert len(list(tmp_path.iterdir())) == 1 + len(ANGLES)


def test_features_of_one_image_share_a_row_whatever_the_tables_order() -> None:
    keys = [f"{angle}/{name}.jpg" for name in ("b", "a") for angle in (5, 0, -10, 10, -5)]
    features = np.arange(len(keys), dtype=np.float32)[:, None]
    stacks = by_angle([*keys, "0/lost.jpg"], np.concatenate([features, [[99]]]).astype(np.float32))
    names = [[keys[int(row[0])] for row in stack] for stack in stacks]
    assert names == [[f"{angle}/a.jpg", f"{angle}/b.jpg"] for angle in (0, *ANGLES)]
