"""Runs in other numbers than float32: what is computed in is told, and integers are refused where too coarse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from examples.demo import models
from tests.integration.job.runs import Runner, Spec, rows_of_folder
from tests.integration.nets.engine import Name
from tests.support.images import write_photographs
from tests.support.processor import FLAGS, needs_integers


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of scikit-image, 20 or more."""
    folder = tmp_path_factory.mktemp("images")
    write_photographs(folder)
    return folder


def spec(images: Path, output: Path, **others: object) -> Spec:
    return {
        "source": {"files": {"uri": images.as_uri()}},
        "detector": models.coco_detector(),
        "extractor": models.squeezenet_extractor(),
        "output": {"uri": output.as_uri()},
        "errors": {"maxFailedFraction": 1},
        **others,
    }


@needs_integers
@pytest.mark.parametrize("engine", ["bigdl", "openvino"])
def test_integers_come_near_floats_and_every_attempt_computes_with_the_same(
    runner: Runner, images: Path, tmp_path: Path, engine: Name
) -> None:
    plain, output = tmp_path / "plain", tmp_path / "table"
    assert runner.run(spec(images, plain, engine=engine), "uid-plain").failure is None
    # Fewer images than a source has are looked at, so that most were never seen; the agreement is another test's.
    loose = {"images": 8, "minAgreement": 0.5}
    outcome = runner.run(spec(images, output, engine=engine, precision="int8", quantization=loose), "uid-int8")
    assert outcome.failure is None
    assert "int8 is calibrated on 8 images" in {progress.waiting for progress in runner.seen}
    assert outcome.progress is not None
    assert outcome.progress.waiting is None
    assert outcome.progress.precision == "int8"
    exact = {row["key"]: row for row in rows_of_folder(plain).rows}
    found = {row["key"]: row for row in rows_of_folder(output).rows}
    assert exact.keys() == found.keys()
    same = [key for key in exact if exact[key]["class"] == found[key]["class"]]
    assert len(same) >= 0.8 * len(exact)
    assert np.median([_cosine(exact[key]["feature"], found[key]["feature"]) for key in same]) > 0.98
    manifest = json.loads((output / "_manifest.json").read_text())
    assert manifest["engine"]["name"] == engine
    assert manifest["engine"]["precision"] == "int8"
    assert manifest["engine"]["quantization"]["cosine"] > 0.98
    (kept,) = output.glob("_featx/*/quantization.json")
    seen = kept.read_bytes()
    for mark in output.glob("_featx/*/done/*"):
        mark.unlink()
    for manifest_of_run in output.glob("_featx/*/manifest.json"):
        manifest_of_run.unlink()
    again = runner.run(spec(images, output, engine=engine, precision="int8", quantization=loose), "uid-int8", 2)
    assert again.failure is None
    assert kept.read_bytes() == seen
    assert {row["key"]: row["feature"] for row in rows_of_folder(output).rows} == {
        key: row["feature"] for key, row in found.items()
    }


@needs_integers
def test_integers_that_are_too_coarse_are_refused_before_anything_is_written(
    runner: Runner, images: Path, tmp_path: Path
) -> None:
    strict = {"images": 8, "minCosine": 1}
    outcome = runner.run(spec(images, tmp_path / "table", precision="int8", quantization=strict))
    assert outcome.failure is not None
    assert outcome.failure.class_ == "Int8Inaccurate"
    assert "spec.quantization.minCosine is 1: use precision bf16" in outcome.failure.message
    assert not outcome.retryable
    assert not list((tmp_path / "table").rglob("*.parquet"))


def test_a_source_without_a_usable_image_cannot_be_calibrated_on(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(b"no image")
    outcome = runner.run(spec(tmp_path / "images", tmp_path / "table", precision="int8"))
    assert outcome.failure is not None
    assert outcome.failure.class_ == "CalibrationFailed"
    assert "could be used to calibrate" in outcome.failure.message


def test_auto_is_bf16_where_the_cpu_has_it_and_status_says_what_it_was(
    runner: Runner, images: Path, tmp_path: Path
) -> None:
    outcome = runner.run(spec(images, tmp_path / "table", engine="openvino", precision="auto"))
    assert outcome.failure is None
    assert outcome.progress is not None
    has = "avx512_bf16" in FLAGS or "amx_bf16" in FLAGS
    assert outcome.progress.precision == ("bf16" if has else "f32")


def _cosine(left: list[float], right: list[float]) -> float:
    one, other = np.array(left), np.array(right)
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
