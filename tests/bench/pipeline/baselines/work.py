"""The work file: the harness's JSON instructions to a program."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Net:
    """An ONNX net and the preprocessing of its pixels."""

    onnx: str
    size: int
    mean: tuple[float, ...]
    scale: float
    channels: str


@dataclass(frozen=True)
class Boxes:
    """How to decode an SSD's raw maps: arrays `priors` (n, 4) and `variances` (4,) in a file, and settings."""

    arrays: str
    scores: str
    classes: int
    background: int
    threshold: float
    margin: float


@dataclass(frozen=True)
class Work:
    """Images, nets, and the resources to use."""

    engine: str
    precision: str
    cores: int
    batch: int
    part: int
    images: tuple[str, ...]
    output: str
    detector: Net
    boxes: Boxes
    extractor: Net

    @staticmethod
    def read(path: str) -> Work:
        """Reads a work file."""
        fields: dict[str, Any] = json.loads(Path(path).read_text())
        for name in ("detector", "extractor"):
            fields[name] = Net(**fields[name])
        return Work(**fields | {"boxes": Boxes(**fields["boxes"])})
