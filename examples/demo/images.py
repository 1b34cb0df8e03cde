"""Real images for the demo: a folder of the user's, or photographs from two packages.

scikit-image has some photographs and Debian's opencv-doc some sixty more. The Debian package is only unpacked into the
cache, never installed.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tempfile
from pathlib import Path

from featx_cli.errors import CommandError
from featx_cli.java_build import cache_folder

ENDINGS = {".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff"}
FEWEST = 40


def of_folder(folder: Path) -> list[Path]:
    """Return the images in a folder and its subfolders, sorted by name.

    Raises:
        CommandError: The folder does not exist, or contains no image.
    """
    if not folder.is_dir():
        raise CommandError(f"IMAGES={folder}: no such directory")
    images = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix.lower() in ENDINGS)
    if not images:
        raise CommandError(f"IMAGES={folder}: no images found ({', '.join(sorted(ENDINGS))})")
    return images


def of_packages() -> list[Path]:
    """Return photographs from packages, at least `FEWEST`.

    Raises:
        CommandError: The packages are not available.
    """
    skimage = importlib.util.find_spec("skimage")
    carried = Path(str(skimage.origin)).parent / "data" if skimage else None
    images = [*(of_folder(carried) if carried else []), *of_folder(_opencv_doc())]
    # Smaller files, and PNGs of opencv-doc, are mostly drawings.
    photographs = [path for path in images if path.stat().st_size > 15_000 and path.suffix in _photographs_end(path)]
    if len(photographs) < FEWEST:
        raise CommandError(f"only {len(photographs)} images found in packages; use your own: make demo IMAGES=DIR")
    return photographs


def _photographs_end(path: Path) -> set[str]:
    return {".jpg"} if "opencv-doc" in path.parts else {".jpg", ".png"}


def _opencv_doc() -> Path:
    unpacked = cache_folder() / "images" / "opencv-doc"
    examples = unpacked / "usr/share/doc/opencv-doc/examples/data"
    if examples.is_dir():
        return examples
    if not shutil.which("apt-get"):
        raise CommandError(
            "apt-get, which fetches the demo's images, is not found; use your own images: make demo IMAGES=DIR"
        )
    print("downloading the Debian package opencv-doc for its sample photographs (once, 92 MB)", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["apt-get", "update", "-qq"], check=False, capture_output=True)
        fetched = subprocess.run(
            ["apt-get", "download", "opencv-doc"], cwd=folder, capture_output=True, text=True, check=False
        )
        packages = list(Path(folder).glob("*.deb"))
        if fetched.returncode or not packages:
            raise CommandError(
                f"apt-get download opencv-doc failed: {fetched.stderr.strip()}; use your own: make demo IMAGES=DIR"
            )
        unpacked.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["dpkg-deb", "-x", str(packages[0]), str(unpacked)], check=True)
    return examples
