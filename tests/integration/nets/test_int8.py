"""Real nets in int8 stay close to float32 on both engines, and are reproducible."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from featx_api.executor_contract import SeenValues
from featx_cli import named_models as demo
from featx_job.nets.caffe import caffe_reader
from featx_job.nets.graph.network import Network
from featx_job.nets.onnx import onnx_reader
from featx_job.nets.prepare import PreparedNet, prepare_detector, prepare_extractor
from featx_job.nets.quantization import ObservedRanges
from numpy.typing import NDArray

from tests.integration.nets.comparison import Floats, blobs
from tests.integration.nets.engine import Engine, Name
from tests.support import models
from tests.support.processor import needs_integers

Images = list[NDArray[np.uint8]]
CALIBRATION_IMAGES = 8

pytestmark = needs_integers


def faces(engine: Name) -> PreparedNet:
    return prepare_detector(_caffe(models.res10()), engine, "int8")


def objects(engine: Name) -> PreparedNet:
    return prepare_detector(onnx_reader.read(demo.coco_ssdlite().read_bytes()), engine, "int8")


def residual(engine: Name) -> PreparedNet:
    return prepare_extractor(_caffe(models.resnet50_thin()), "pool", engine, "int8")


def squeezed(engine: Name) -> PreparedNet:
    return prepare_extractor(onnx_reader.read(demo.squeezenet().read_bytes()), "feature", engine, "int8")


@pytest.mark.parametrize("name", ["bigdl", "openvino"])
@pytest.mark.parametrize(
    ("prepare", "mean", "scale", "cosine"),
    [
        (faces, (104, 177, 123), 1, 0.999),
        (objects, (127.5, 127.5, 127.5), 1 / 127.5, 0.98),
        (residual, (104, 117, 123), 1, 0.99),
        (squeezed, (104, 117, 123), 1, 0.99),
    ],
)
def test_an_int8_net_is_close_to_its_float_version(
    prepare: Callable[[Name], PreparedNet],
    mean: tuple[int, int, int],
    scale: float,
    cosine: float,
    name: Name,
    engine: Engine,
    images: Images,
    tmp_path: Path,
) -> None:
    loaded = prepare(name)
    inputs = blobs(images, loaded.input_shape[1], mean) * np.float32(scale)
    ranges = observe(engine, loaded, inputs[:CALIBRATION_IMAGES], tmp_path)
    quantized, unseen = loaded.int8_file(ranges), inputs[CALIBRATION_IMAGES:]
    exact = engine.using("openvino").forward(b"".join(loaded.watched_file()), unseen[:1], 1)[
        : len(loaded.network.outputs)
    ]
    actual = engine.using(name, "int8").forward(b"".join(quantized), unseen[:1], 1)
    assert [output.shape for output in actual] == [output.shape for output in exact]
    assert min(_cosine(*both) for both in zip(actual, exact, strict=True)) > cosine
    assert any(np.abs(one - other).max() > 1e-4 for one, other in zip(actual, exact, strict=True)), "int8 was not used"


@pytest.mark.parametrize("name", ["bigdl", "openvino"])
def test_an_int8_net_loaded_again_yields_the_same_output(
    name: Name, engine: Engine, images: Images, tmp_path: Path
) -> None:
    loaded = residual(name)
    inputs = blobs(images, 224, (104, 117, 123))
    ranges = observe(engine, loaded, inputs[:CALIBRATION_IMAGES], tmp_path)
    (tmp_path / "net").write_bytes(b"".join(loaded.int8_file(ranges)))
    first, *repeats = (outputs(engine.using(name, "int8"), tmp_path / "net", inputs[:8]) for _ in range(6))
    assert all((first == other).all() for other in repeats)


def observe(engine: Engine, loaded: PreparedNet, inputs: Floats, folder: Path) -> ObservedRanges:
    """The value ranges that an executor would report for a net."""
    (folder / "watched").write_bytes(b"".join(loaded.watched_file()))
    with engine.using("openvino").loaded(folder / "watched", 1) as net:
        values = SeenValues.from_json(net.observe(inputs, len(loaded.network.outputs)))
        return ObservedRanges(values.input, values.outputs)


def outputs(engine: Engine, file: Path, inputs: Floats) -> Floats:
    with engine.loaded(file, len(inputs)) as net:
        return net.forward(inputs)[0]


def _caffe(files: models.CaffeFiles) -> Network:
    return caffe_reader.read(files.prototxt.read_text(), files.caffemodel.read_bytes())


def _cosine(one: Floats, other: Floats) -> float:
    left, right = one.ravel(), other.ravel()
    return float(left @ right / np.linalg.norm(left) / np.linalg.norm(right))
