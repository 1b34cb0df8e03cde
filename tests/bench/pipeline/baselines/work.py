"""What a program is asked to do, as the harness writes it in a JSON file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Net:
    """A net in ONNX and how pixels become its input."""

    onnx: str
    size: int
    mean: tuple[float, ...]
    scale: float
    channels: str


@dataclass(frozen=True)
class Boxes:
    """How an SSD's raw maps become boxes: arrays `priors` (n, 4) and `variances` (4,) in a file, and settings."""

    arrays: str
    scores: str
    classes: int
    background: int
    threshold: float
    margin: float


@dataclass(frozen=True)
class Work:
    """Images, nets, and what may be used for them."""

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
        """Returns what a file asks for."""
        given: dict[str, Any] = json.loads(Path(path).read_text())
        for name in ("detector", "extractor"):
            given[name] = Net(**given[name])
        return Work(**given | {"boxes": Boxes(**given["boxes"])})
