"""The two real models match OpenCV's Caffe importer on real images."""

from __future__ import annotations

import numpy as np
from featx_job.nets.caffe import caffe_reader
from featx_job.nets.graph.fold import fold
from featx_job.nets.ssd.detection import split
from numpy.typing import NDArray

from tests.integration.nets.comparison import blobs, boxes, distance, matched, opencv, outputs
from tests.integration.nets.engine import Engine
from tests.support import models
from tests.support.prepared_nets import file_of, load_detector, load_extractor

Images = list[NDArray[np.uint8]]
FACES_MEAN, RESNET_MEAN = (104, 177, 123), (104, 117, 123)


def test_the_ssds_raw_maps_match_opencv(any_engine: Engine, images: Images) -> None:
    prototxt, weights = _read(models.res10())
    names = list(split(fold(caffe_reader.read(prototxt, weights))).trunk.outputs)
    inputs = blobs(images, 300, FACES_MEAN)
    loaded = load_detector(prototxt, weights, any_engine.name)
    assert loaded.length == 8892
    actual = any_engine.forward(file_of(loaded), inputs)
    expected = outputs(opencv(prototxt, weights), inputs, names)
    assert len(actual) == len(names) == 12
    distances = {name: distance(*both) for name, *both in zip(names, actual, expected, strict=True)}
    assert max(distances.values()) < 1e-4, distances


def test_the_ssds_boxes_match_opencv(engine: Engine, images: Images) -> None:
    prototxt, weights = _read(models.res10())
    inputs = blobs(images, 300, FACES_MEAN)
    detections = engine.detect(file_of(load_detector(prototxt, weights)), inputs, 0.01)
    expected = boxes(opencv(prototxt, weights), inputs)
    assert [len(rows) for rows in detections] == [len(rows) for rows in expected]
    assert sum(len(rows) for rows in detections) > len(images)
    for image, ours, theirs in zip(images, detections, expected, strict=True):
        pixels, relative = matched(ours, theirs, image.shape[1], image.shape[0])
        assert pixels < 1
        assert relative < 1e-3
        assert list(ours[:, 1]) == sorted(ours[:, 1], reverse=True)


def test_the_extractors_features_match_opencv(any_engine: Engine, images: Images) -> None:
    prototxt, weights = _read(models.resnet50_thin())
    inputs = blobs(images, 224, RESNET_MEAN)
    loaded = load_extractor(prototxt, weights, "pool", any_engine.name)
    (actual,) = any_engine.forward(file_of(loaded), inputs)
    (expected,) = outputs(opencv(prototxt, weights), inputs, ["pool"])
    assert actual.shape == (len(images), 1024)
    assert distance(actual, expected) < 1e-3


def test_a_short_last_batch_yields_the_same_features_as_a_full_one(engine: Engine, images: Images) -> None:
    prototxt, weights = _read(models.resnet50_thin())
    data = file_of(load_extractor(prototxt, weights, "pool"))
    inputs = blobs(images[:8], 224, RESNET_MEAN)
    (full,), (short,) = engine.forward(data, inputs), engine.forward(data, inputs[:3])
    np.testing.assert_allclose(short, full[:3], rtol=1e-6, atol=1e-6)


def test_the_final_classifier_matches_opencv(any_engine: Engine, images: Images) -> None:
    prototxt, weights = _read(models.resnet50_thin())
    inputs = blobs(images[:8], 224, RESNET_MEAN)
    loaded = load_extractor(prototxt, weights, "prob", any_engine.name)
    (actual,) = any_engine.forward(file_of(loaded), inputs)
    (expected,) = outputs(opencv(prototxt, weights), inputs, ["prob"])
    assert distance(actual, expected) < 1e-3


def _read(files: models.CaffeFiles) -> tuple[str, bytes]:
    return files.prototxt.read_text(), files.caffemodel.read_bytes()
