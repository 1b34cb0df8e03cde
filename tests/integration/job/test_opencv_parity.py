"""The pipeline matches an independent one: cv2 decodes, cv2.dnn detects, the best box is cropped, cv2.dnn extracts.

Boxes within a pixel, scores and features within 1e-3 relative, on real images and real nets.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import skimage

from tests.integration.job.reference import Reference, Row
from tests.integration.job.runs import Runner, model, rows_of_folder
from tests.support import models
from tests.support.images import paths

PIXEL, RELATIVE = 1.0, 1e-3
FACE_MEAN, COLOUR_MEAN = (104.0, 177.0, 123.0), (104.0, 117.0, 123.0)
MARGIN = 0.1


class Compared(NamedTuple):
    ours: dict[str, Any]
    theirs: Row


@pytest.fixture(scope="module", params=["bigdl", "openvino"])
def compared(
    request: pytest.FixtureRequest, runner: Runner, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Compared]:
    """The job's and OpenCV's row of at least 20 real images, by file name, on each engine."""
    folder, output = tmp_path_factory.mktemp("real"), tmp_path_factory.mktemp("output")
    chosen = {f"{number:02}-{path.name}": path.read_bytes() for number, path in enumerate([*paths(24), *_faces()])}
    for name, data in chosen.items():
        (folder / name).write_bytes(data)
    spec = {
        "source": {"files": {"uri": f"file://{folder}"}},
        "detector": {
            "model": model(models.res10()),
            "input": {"mean": list(FACE_MEAN)},
            "crop": {"margin": MARGIN, "minArea": 0},
        },
        "extractor": {
            "model": model(models.resnet50_thin()),
            "input": {"mean": list(COLOUR_MEAN)},
            "layer": "pool",
            "binarize": {},
        },
        "engine": request.param,
        "output": {"uri": f"file://{output}"},
    }
    outcome = runner.run(spec)
    assert outcome.failure is None
    reference = Reference((models.res10(), 300, FACE_MEAN), (models.resnet50_thin(), 224, COLOUR_MEAN), "pool", MARGIN)
    rows = {row["key"]: row for row in rows_of_folder(output).rows}
    assert len(rows) >= 20 and set(rows) == set(chosen)
    return {name: Compared(rows[name], reference.row(data)) for name, data in chosen.items()}


def test_every_row_has_the_size_of_the_upright_image(compared: dict[str, Compared]) -> None:
    for name, (ours, theirs) in compared.items():
        assert (ours["width"], ours["height"]) == theirs.size, name


def test_the_images_include_some_with_a_box_and_some_without(compared: dict[str, Compared]) -> None:
    assert {theirs.score is None for _, theirs in compared.values()} == {True, False}


def test_boxes_match_within_a_pixel_and_classes_exactly(compared: dict[str, Compared]) -> None:
    for name, (ours, theirs) in compared.items():
        assert ours["class"] == theirs.category, name
        assert np.allclose([ours[side] for side in ("x0", "y0", "x1", "y1")], theirs.box, rtol=0, atol=PIXEL), name


def test_scores_match_within_a_thousandth(compared: dict[str, Compared]) -> None:
    for name, (ours, theirs) in compared.items():
        assert (ours["score"] is None) == (theirs.score is None), name
        if theirs.score is not None:
            assert abs(ours["score"] - theirs.score) <= RELATIVE * theirs.score, name


def test_features_match_within_a_thousandth(compared: dict[str, Compared]) -> None:
    errors = {name: _relative(np.array(ours["feature"]), theirs.feature) for name, (ours, theirs) in compared.items()}
    assert max(errors.values()) <= RELATIVE, errors


def _relative(ours: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any]) -> float:
    """The largest difference, relative to the feature's largest value."""
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def _faces() -> list[Path]:
    """Photographs with faces, as the face detector finds nothing in most products."""
    folder = Path(str(skimage.__file__)).parent / "data"
    return [folder / "astronaut.png", folder / "camera.png"]
