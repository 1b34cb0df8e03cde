"""A separate environment for the baselines' packages: torch and onnxruntime are not part of Featx.

It is created once in the user's cache. torch's Linux wheel requires the CUDA libraries even on a machine without a GPU;
they are most of the 5 GB.
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
ALONE = ("onnx2torch==1.5.15",)  # it requires an unpinned torch
LEFT_OUT = 'triton; python_version < "3"'  # torch needs it only to compile for GPUs


def python() -> Path:
    """The environment's Python; installs the packages on first use."""
    folder = cache_folder() / "bench" / hashlib.sha256(repr((PACKAGES, ALONE)).encode()).hexdigest()[:12]
    interpreter = folder / "bin" / "python"
    if not (folder / "complete").exists():
        install(folder, interpreter)
        (folder / "complete").touch()
    return interpreter


def install(folder: Path, interpreter: Path) -> None:
    """Creates the environment."""
    subprocess.run([uv(), "venv", "--quiet", "--clear", "--python", "3.11", str(folder)], check=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as overrides:
        overrides.write(LEFT_OUT)
        overrides.flush()
        install = [uv(), "pip", "install", "--quiet", "--python", str(interpreter)]
        subprocess.run([*install, "--overrides", overrides.name, *PACKAGES], check=True)
        subprocess.run([*install, "--no-deps", *ALONE], check=True)
