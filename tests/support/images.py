"""Real images: the shared catalogue of product photos where it lies beside the checkout, else scikit-image's own."""

from __future__ import annotations

from pathlib import Path

import skimage

CATALOG = Path(__file__).resolve().parents[2] / "shared" / "data" / "catalog" / "images"


def write_photographs(folder: Path) -> None:
    """Writes scikit-image's photographs into a folder, 20 or more."""
    for path in (Path(str(skimage.__file__)).parent / "data").iterdir():
        if path.suffix in (".jpg", ".png"):
            (folder / path.name).write_bytes(path.read_bytes())


def paths(count: int) -> list[Path]:
    """Returns files of real images, spread evenly over what there is; fewer if there are not as many."""
    folder = CATALOG if CATALOG.is_dir() else Path(str(skimage.__file__)).parent / "data"
    found = sorted(path for path in folder.rglob("*") if path.suffix in (".jpg", ".png"))
    step = max(1, len(found) // count)
    return found[::step][:count]
