"""The SSDLite imported from TensorFlow.js matches TensorFlow's own graph on real images.

The oracle is the whole graph, from normalised image to boxes and scores, as converted by tf2onnx: its heads, anchors
and decoding, all of which our import rewrites.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
import yaml
from featx_cli import import_tfjs
from featx_cli import named_models as models
from featx_job.nets.onnx import onnx_reader
from featx_job.nets.prepare import prepare_detector
from featx_job.nets.ssd.object_detection import INPUT
from numpy.typing import NDArray
from openvino import Core

from tests.integration.nets.engine import Engine, Floats
from tests.support.prepared_nets import file_of
from tools.version import ROOT

BOXES, SCORES = "Postprocessor/ExpandDims_1:0", "Postprocessor/Slice:0"
PERSON, CAT, CUP = 1, 17, 47


@pytest.fixture(scope="module")
def detector() -> bytes:
    """The imported model, in ONNX."""
    return import_tfjs.import_ssd(models.coco_of_tensorflow())[0]


def test_the_file_is_the_one_that_the_example_pins(detector: bytes) -> None:
    example = yaml.safe_load((ROOT / "examples" / "catalog.yaml").read_text())
    assert hashlib.sha256(detector).hexdigest() == example["spec"]["detector"]["model"]["sha256"]


def test_raw_boxes_and_scores_match_tensorflow(
    detector: bytes, any_engine: Engine, images: list[NDArray[np.uint8]]
) -> None:
    inputs = normalised(images)
    loaded = prepare_detector(onnx_reader.read(detector), any_engine.name)
    expected = tensorflows(inputs)
    detections = any_engine.detect(file_of(loaded), inputs, 0.3)
    assert sum(map(len, detections)) > len(images) / 2
    for ours, boxes, scores in zip(detections, *expected, strict=True):
        for kind, score, *box in ours:
            # Every box of ours is one of theirs, with the same class, score and corners.
            far = np.abs(boxes[:, [1, 0, 3, 2]] - box).max(axis=1) + np.abs(scores[:, int(kind) - 1] - score)
            assert far.min() < 1e-3


def test_objects_are_detected_in_the_right_place(detector: bytes, engine: Engine) -> None:
    folder = Path(str(skimage.__file__)).parent / "data"
    names = {"astronaut.png": PERSON, "chelsea.png": CAT, "coffee.png": CUP}
    images = [cv2.imread(str(folder / name)).astype(np.uint8) for name in names]
    detections = engine.detect(file_of(prepare_detector(onnx_reader.read(detector))), normalised(images), 0.3)
    assert [int(best[0][0]) for best in detections] == list(names.values())
    (_, score, x0, y0, x1, y1) = detections[1][0]
    assert score > 0.5
    assert x1 - x0 > 0.5  # the cat's face fills the image
    assert y1 - y0 > 0.5


def test_importing_a_model_twice_yields_the_same_bytes(detector: bytes) -> None:
    assert import_tfjs.import_ssd(models.coco_of_tensorflow())[0] == detector


def normalised(images: list[NDArray[np.uint8]]) -> Floats:
    blob = cv2.dnn.blobFromImages(images, 1 / 127.5, (300, 300), (127.5, 127.5, 127.5), swapRB=True)
    return np.asarray(blob, np.float32)


def tensorflows(inputs: Floats) -> tuple[Floats, Floats]:
    """Boxes (n, priors, 4) as y0, x0, y1, x1 and scores (n, priors, classes) of TensorFlow's own graph."""
    model = Core().read_model(import_tfjs.convert(models.coco_of_tensorflow(), [BOXES, SCORES]))
    compiled = Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    results = [compiled({INPUT: image[None]}) for image in inputs]
    boxes = np.concatenate([result[0].reshape(1, -1, 4) for result in results])
    return boxes, np.concatenate([result[1].reshape(1, len(boxes[0]), -1) for result in results])
