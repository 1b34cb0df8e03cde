"""A run whose nets are ONNX: the demo's own, a general detector and SqueezeNet, on photographs of known things."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage

from examples.demo import models
from tests.integration.job.runs import Runner, Spec, rows_of_folder
from tests.integration.nets.engine import Name

THINGS = {"astronaut.png": 1, "chelsea.png": 17, "coffee.png": 47}


@pytest.fixture(scope="module")
def nets() -> Spec:
    return {
        "detector": {**models.coco_detector(), "crop": {"minArea": 0.01}},
        "extractor": {**models.squeezenet_extractor(), "layer": "probability"},
    }


@pytest.mark.parametrize("engine", ["bigdl", "openvino"])
def test_things_are_found_cropped_and_told_apart(runner: Runner, nets: Spec, tmp_path: Path, engine: Name) -> None:
    images, output = tmp_path / "images", tmp_path / "table"
    images.mkdir()
    carried = Path(str(skimage.__file__)).parent / "data"
    for name in THINGS:
        (images / name).write_bytes((carried / name).read_bytes())
    places = {"source": {"files": {"uri": images.as_uri()}}, "output": {"uri": output.as_uri()}}
    outcome = runner.run({**places, **nets, "engine": engine})
    assert outcome.failure is None
    rows = {row["key"]: row for row in rows_of_folder(output).rows}
    assert {key: row["class"] for key, row in rows.items()} == THINGS
    assert np.argmax(rows["chelsea.png"]["feature"]) in range(281, 286)  # ImageNet's cats
    assert np.argmax(rows["coffee.png"]["feature"]) in (504, 967, 968)  # mug, espresso, cup


def test_a_layer_that_an_onnx_model_lacks_is_named(runner: Runner, nets: Spec, tmp_path: Path) -> None:
    places = {"source": {"files": {"uri": tmp_path.as_uri()}}, "output": {"uri": (tmp_path / "table").as_uri()}}
    extractor = {**nets["extractor"], "layer": "features"}
    outcome = runner.run({**places, "extractor": extractor})
    assert outcome.failure is not None
    assert "features" in outcome.failure.message and "feature" in outcome.failure.message


def test_an_onnx_model_that_is_none_is_refused(runner: Runner, nets: Spec, tmp_path: Path) -> None:
    file = tmp_path / "net.onnx"
    file.write_bytes(b"no model")
    places = {"source": {"files": {"uri": tmp_path.as_uri()}}, "output": {"uri": (tmp_path / "table").as_uri()}}
    outcome = runner.run({**places, "extractor": {**nets["extractor"], "model": models.named(file)}})
    assert outcome.failure is not None
    assert outcome.failure.class_ == "ModelInvalid"
    assert outcome.failure.message.startswith("spec.extractor.model: the file is not an ONNX model")
