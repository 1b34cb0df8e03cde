"""Runs with ONNX nets, those of the demo: a general detector and SqueezeNet, on photographs of known objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage
from featx_cli import named_models as models

from tests.integration.job.runs import Runner, Spec, rows_of_folder
from tests.integration.nets.engine import Name

OBJECTS = {"astronaut.png": 1, "chelsea.png": 17, "coffee.png": 47}


@pytest.fixture(scope="module")
def nets() -> Spec:
    return {
        "detector": {**models.coco_detector(), "crop": {"minArea": 0.01}},
        "extractor": {**models.squeezenet_extractor(), "layer": "probability"},
    }


@pytest.mark.parametrize("engine", ["bigdl", "openvino"])
def test_objects_are_detected_and_classified(runner: Runner, nets: Spec, tmp_path: Path, engine: Name) -> None:
    images, output = tmp_path / "images", tmp_path / "table"
    images.mkdir()
    photographs = Path(str(skimage.__file__)).parent / "data"
    for name in OBJECTS:
        (images / name).write_bytes((photographs / name).read_bytes())
    locations = {"source": {"files": {"uri": images.as_uri()}}, "output": {"uri": output.as_uri()}}
    outcome = runner.run({**locations, **nets, "engine": engine})
    assert outcome.failure is None
    rows = {row["key"]: row for row in rows_of_folder(output).rows}
    assert {key: row["class"] for key, row in rows.items()} == OBJECTS
    assert np.argmax(rows["chelsea.png"]["feature"]) in range(281, 286)  # ImageNet's cats
    assert np.argmax(rows["coffee.png"]["feature"]) in (504, 967, 968)  # mug, espresso, cup


def test_a_layer_missing_from_an_onnx_model_is_named(runner: Runner, nets: Spec, tmp_path: Path) -> None:
    locations = {"source": {"files": {"uri": tmp_path.as_uri()}}, "output": {"uri": (tmp_path / "table").as_uri()}}
    extractor = {**nets["extractor"], "layer": "features"}
    outcome = runner.run({**locations, "extractor": extractor})
    assert outcome.failure is not None
    assert "features" in outcome.failure.message and "feature" in outcome.failure.message


def test_a_file_that_is_not_an_onnx_model_is_refused(runner: Runner, nets: Spec, tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(b"not a model")
    locations = {"source": {"files": {"uri": tmp_path.as_uri()}}, "output": {"uri": (tmp_path / "table").as_uri()}}
    outcome = runner.run({**locations, "extractor": {**nets["extractor"], "model": models.named(file)}})
    assert outcome.failure is not None
    assert outcome.failure.class_ == "ModelInvalid"
    assert outcome.failure.message.startswith("spec.extractor.model: the file is not an ONNX model")
