"""Real images: the shared catalogue of product photos if it is beside the checkout, else scikit-image's own."""

from __future__ import annotations

from pathlib import Path

import skimage

CATALOG = Path(__file__).resolve().parents[2] / "shared" / "data" / "catalog" / "images"


def write_photographs(folder: Path) -> None:
    """Writes scikit-image's photographs, at least 20, into a folder."""
    for path in (Path(str(skimage.__file__)).parent / "data").iterdir():
        if path.suffix in (".jpg", ".png"):
            (folder / path.name).write_bytes(path.read_bytes())


def paths(count: int) -> list[Path]:
    """Files of real images, spread evenly over those available; fewer if there are not enough."""
    folder = CATALOG if CATALOG.is_dir() else Path(str(skimage.__file__)).parent / "data"
    available = sorted(path for path in folder.rglob("*") if path.suffix in (".jpg", ".png"))
    step = max(1, len(available) // count)
    return available[::step][:count]
