"""One JVM with the engine, shared by all net tests, and real images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
from numpy.typing import NDArray

from tests.integration.nets.engine import Engine, running

CATALOG = Path(__file__).parents[4] / "shared" / "data" / "catalog" / "images"
IMAGES = 24


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    with running() as engine:
        yield engine


@pytest.fixture(scope="session", params=["bigdl", "openvino"])
def any_engine(request: pytest.FixtureRequest, engine: Engine) -> Engine:
    """Every engine that nets are compiled for, in turn."""
    return engine.using(request.param)


@pytest.fixture(scope="session")
def images() -> list[NDArray[np.uint8]]:
    """At least 20 real images, BGR: product photos if the catalogue is available, and photographs from scikit-image."""
    photographs = Path(skimage.__file__).parent / "data"
    packaged = [path for path in sorted(photographs.iterdir()) if path.suffix in {".jpg", ".png"}]
    catalog = sorted(CATALOG.rglob("*.jpg"))
    chosen = [*catalog[:: max(1, len(catalog) // IMAGES)][:IMAGES], *packaged]
    decoded = [cv2.imread(str(path), cv2.IMREAD_COLOR) for path in chosen]
    usable = [image.astype(np.uint8) for image in decoded if image is not None and min(image.shape[:2]) >= 64]
    assert len(usable) >= 20, f"only {len(usable)} images to compare on"
    return usable
