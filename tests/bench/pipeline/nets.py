"""The pairs of nets that rows are measured on, written in each form that some row reads."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from featx_job.nets import caffe
from featx_job.nets.detection import split
from featx_job.nets.fold import fold
from featx_job.nets.load import load_detector, load_extractor
from featx_job.nets.onnx_writer import to_onnx

from tests import architectures, models
from tests.architectures import ScaledNet

Files = Callable[[Path], models.CaffeFiles]


@dataclass(frozen=True)
class Net:
    """A Caffe model and what pixels are before it: its files, mean and scale."""

    files: Files
    mean: tuple[float, float, float]
    scale: float = 1.0


@dataclass(frozen=True)
class Pair:
    """A detector and an extractor.

    Attributes:
        title: What the table calls it.
        detector: The SSD.
        extractor: The other.
        layer: Layer of the feature.
        pictures: How many a row is given, so that one takes about half a minute.
        part: Pictures of a shard or partition.
        rounds: How often each row is run.
        small: Whether time goes into pictures as much as into nets: the bar is 0.8 of the bare engine, not 0.95.
    """

    title: str
    detector: Net
    extractor: Net
    layer: str
    pictures: int
    part: int
    rounds: int
    small: bool = True


def random(build: Callable[[], ScaledNet]) -> Files:
    """Returns what writes a net with random weights into a folder."""

    def write(folder: Path) -> models.CaffeFiles:
        return models.CaffeFiles(*build().write(folder, build.__name__))

    return write


IMAGENET = (104.0, 117.0, 123.0)
PAIRS = {
    "res10": Pair(
        "res10 SSD + ResNet-50 of half width",
        Net(lambda folder: models.res10(), (104, 177, 123)),
        Net(lambda folder: models.resnet50_thin(), IMAGENET),
        "pool",
        pictures=192,
        part=16,
        rounds=2,
    ),
    "mobilenet": Pair(
        "MobileNet-SSD + SqueezeNet (random weights)",
        Net(random(architectures.mobilenet_ssd), (127.5, 127.5, 127.5), 1 / 127.5),
        Net(random(architectures.squeezenet), IMAGENET),
        "pool10",
        pictures=192,
        part=16,
        rounds=2,
    ),
    "vgg": Pair(
        "SSD300-VGG16 + DeepBit-VGG16 (random weights)",
        Net(random(architectures.vgg16_ssd300), IMAGENET),
        Net(random(architectures.deepbit), IMAGENET),
        "relu8_kevin",
        pictures=32,
        part=8,
        rounds=1,
        small=False,
    ),
}


def prepare(name: str, folder: Path) -> None:
    """Writes a pair into a folder: network files, ONNX files, arrays of boxes, and `pair.json` about them."""
    pair = PAIRS[name]
    folder.mkdir(parents=True, exist_ok=True)
    found = {"detector": _detector(pair.detector, folder), "extractor": _extractor(pair, folder)}
    (folder / "pair.json").write_text(json.dumps(found))


def _detector(net: Net, folder: Path) -> dict[str, Any]:
    files = net.files(folder)
    prototxt, weights = files.prototxt.read_text(), files.caffemodel.read_bytes()
    (folder / "detector.net").write_bytes(load_detector(prototxt, weights).data)
    detector = split(fold(caffe.read(prototxt, weights)))
    (folder / "detector.onnx").write_bytes(to_onnx(detector.trunk))
    np.savez(folder / "boxes.npz", priors=detector.priors, variances=detector.variances)
    classes = {"classes": detector.output.classes, "background": detector.output.background}
    return _common(net, files, detector.trunk.input_shape) | {"boxes": {"arrays": str(folder / "boxes.npz"), **classes}}


def _extractor(pair: Pair, folder: Path) -> dict[str, Any]:
    files = pair.extractor.files(folder)
    prototxt, weights = files.prototxt.read_text(), files.caffemodel.read_bytes()
    (folder / "extractor.net").write_bytes(load_extractor(prototxt, weights, pair.layer).data)
    network = fold(caffe.read(prototxt, weights).of_layer(pair.layer))
    (folder / "extractor.onnx").write_bytes(to_onnx(network))
    return _common(pair.extractor, files, network.input_shape)


def _common(net: Net, files: models.CaffeFiles, shape: tuple[int, ...]) -> dict[str, Any]:
    paths = {"prototxt": str(files.prototxt), "weights": str(files.caffemodel)}
    return {**paths, "size": shape[1], "mean": net.mean, "scale": net.scale}


if __name__ == "__main__":
    # A process of its own: VGG16's weights are there several times while they are written.
    prepare(sys.argv[1], Path(sys.argv[2]))
