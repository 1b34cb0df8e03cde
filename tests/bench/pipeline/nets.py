"""The pairs of nets that rows are measured on, written in every format that a row reads."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from featx_cli.named_models import coco_ssdlite, digest, squeezenet
from featx_job.nets.caffe import caffe_reader
from featx_job.nets.graph.fold import fold
from featx_job.nets.graph.network import Network
from featx_job.nets.onnx import onnx_reader
from featx_job.nets.onnx.onnx_writer import to_onnx
from featx_job.nets.prepare import prepare_detector, prepare_extractor
from featx_job.nets.ssd.detection import split

from tests.support import architectures, models
from tests.support.architectures import ScaledNet
from tests.support.prepared_nets import file_of

Files = Callable[[Path], models.CaffeFiles | Path]


@dataclass(frozen=True)
class Net:
    """A Caffe or ONNX model, and the preprocessing of its pixels."""

    files: Files
    mean: tuple[float, float, float]
    scale: float = 1.0
    channels: str = "BGR"


@dataclass(frozen=True)
class Pair:
    """A detector and an extractor.

    Attributes:
        title: Name in the table.
        detector: The SSD.
        extractor: The extractor.
        layer: Feature layer.
        images: Number of images, so that a row takes about half a minute.
        part: Images per shard or partition.
        rounds: Runs per row.
        small: Whether images take as much time as the nets: the target is 0.8 of the bare engine instead of 0.95.
    """

    title: str
    detector: Net
    extractor: Net
    layer: str
    images: int
    part: int
    rounds: int
    small: bool = True


def random(build: Callable[[], ScaledNet]) -> Files:
    """A function that writes a net with random weights to a folder."""

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
        images=768,
        part=16,
        rounds=1,
    ),
    "coco": Pair(
        "COCO SSDLite (MobileNet v2) + SqueezeNet",
        Net(lambda folder: coco_ssdlite(), (127.5, 127.5, 127.5), 1 / 127.5, "RGB"),
        Net(lambda folder: squeezenet(), IMAGENET),
        "feature",
        images=768,
        part=16,
        rounds=1,
    ),
    "vgg": Pair(
        "SSD300-VGG16 + DeepBit-VGG16 (random weights)",
        Net(random(architectures.vgg16_ssd300), IMAGENET),
        Net(random(architectures.deepbit), IMAGENET),
        "relu8_kevin",
        images=96,
        part=8,
        rounds=1,
        small=False,
    ),
}


def prepare(name: str, folder: Path) -> None:
    """Writes a pair to a folder: network files, ONNX files, arrays of boxes, and `pair.json`, which describes them."""
    pair = PAIRS[name]
    folder.mkdir(parents=True, exist_ok=True)
    description = {"detector": _detector(pair.detector, folder), "extractor": _extractor(pair, folder)}
    (folder / "pair.json").write_text(json.dumps(description))


def _detector(net: Net, folder: Path) -> dict[str, Any]:
    network, common = _read(net, folder)
    (folder / "detector.net").write_bytes(file_of(prepare_detector(network)))
    detector = split(fold(network))
    (folder / "detector.onnx").write_bytes(to_onnx(detector.trunk))
    np.savez(folder / "boxes.npz", priors=detector.priors, variances=detector.variances)
    classes = {"classes": detector.output.classes, "background": detector.output.background}
    scores = {"arrays": str(folder / "boxes.npz"), "scores": detector.scores}
    return common | {"boxes": scores | classes}


def _extractor(pair: Pair, folder: Path) -> dict[str, Any]:
    whole, common = _read(pair.extractor, folder)
    (folder / "extractor.net").write_bytes(file_of(prepare_extractor(whole, pair.layer)))
    (folder / "extractor.onnx").write_bytes(to_onnx(fold(whole.up_to_layer(pair.layer))))
    return common


def _read(net: Net, folder: Path) -> tuple[Network, dict[str, Any]]:
    """A net and its description in `pair.json`: its model section in a resource, and its input."""
    files = net.files(folder)
    if isinstance(files, Path):
        network, model = onnx_reader.read(files.read_bytes()), {"onnx": files.as_uri(), "sha256": digest(files)}
    else:
        network = caffe_reader.read(files.prototxt.read_text(), files.caffemodel.read_bytes())
        model = {"prototxt": files.prototxt.as_uri(), "weights": files.caffemodel.as_uri()}
        model["sha256"] = digest(files.caffemodel)
    pixels = {"mean": net.mean, "scale": net.scale, "channels": net.channels}
    return network, {"model": model, "size": network.input_shape[1], **pixels}


if __name__ == "__main__":
    # A separate process, because several copies of VGG16's weights are in memory while they are written.
    prepare(sys.argv[1], Path(sys.argv[2]))
