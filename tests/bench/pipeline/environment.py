"""The packages of the baselines, in an environment of their own: torch and onnxruntime are no part of Featx.

It lies in the user's cache and is made once. torch's wheel for Linux wants the libraries of CUDA to be there even on a
machine without a GPU, which is most of the 5 GB.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from pathlib import Path

from featx_cli.java_build import cache_folder, uv

PACKAGES = (
    "numpy==1.26.4",
    "onnx==1.19.1",
    "onnxruntime==1.32.0",
    "opencv-python-headless==4.11.0.86",
    "openvino==2026.4.1",
    "pandas==2.3.3",
    "protobuf==5.29.5",
    "pyarrow==21.0.0",
    "pyspark==3.5.9",
    "torch==2.5.1",
    "torchvision==0.20.1",
)
ALONE = ("onnx2torch==1.5.15",)  # it asks for any torch
LEFT_OUT = 'triton; python_version < "3"'  # torch compiles for GPUs with it


def python() -> Path:
    """Returns the environment's Python, installing the packages the first time."""
    folder = cache_folder() / "bench" / hashlib.sha256(repr((PACKAGES, ALONE)).encode()).hexdigest()[:12]
    found = folder / "bin" / "python"
    if not (folder / "complete").exists():
        install(folder, found)
        (folder / "complete").touch()
    return found


def install(folder: Path, found: Path) -> None:
    """Makes the environment."""
    subprocess.run([uv(), "venv", "--quiet", "--clear", "--python", "3.11", str(folder)], check=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as overrides:
        overrides.write(LEFT_OUT)
        overrides.flush()
        install = [uv(), "pip", "install", "--quiet", "--python", str(found)]
        subprocess.run([*install, "--overrides", overrides.name, *PACKAGES], check=True)
        subprocess.run([*install, "--no-deps", *ALONE], check=True)
