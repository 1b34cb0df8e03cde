"""Runs in other precisions than float32: the precision used is reported, and int8 is refused if too inaccurate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from featx_cli import named_models as models

from tests.integration.job.runs import Runner, Spec, rows_of_folder
from tests.integration.nets.engine import Name
from tests.support.images import write_photographs
from tests.support.processor import FLAGS, needs_integers


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """At least 20 photographs from scikit-image."""
    folder = tmp_path_factory.mktemp("images")
    write_photographs(folder)
    return folder


def spec(images: Path, output: Path, **fields: object) -> Spec:
    return {
        "source": {"files": {"uri": images.as_uri()}},
        "detector": models.coco_detector(),
        "extractor": models.squeezenet_extractor(),
        "output": {"uri": output.as_uri()},
        "errors": {"maxFailedFraction": 1},
        **fields,
    }


@needs_integers
@pytest.mark.parametrize("engine", ["bigdl", "openvino"])
def test_int8_is_close_to_float32_and_every_attempt_uses_the_same_calibration(
    runner: Runner, images: Path, tmp_path: Path, engine: Name
) -> None:
    plain, output = tmp_path / "plain", tmp_path / "table"
    assert runner.run(spec(images, plain, engine=engine), "uid-plain").failure is None
    # Calibrate on few images, so that most were never seen. Agreement is covered by another test.
    loose = {"images": 8, "minAgreement": 0.5}
    outcome = runner.run(spec(images, output, engine=engine, precision="int8", quantization=loose), "uid-int8")
    assert outcome.failure is None
    assert "int8 is calibrated on 8 images" in {progress.waiting for progress in runner.reports}
    assert outcome.progress is not None
    assert outcome.progress.waiting is None
    assert outcome.progress.precision == "int8"
    exact = {row["key"]: row for row in rows_of_folder(plain).rows}
    quantized = {row["key"]: row for row in rows_of_folder(output).rows}
    assert exact.keys() == quantized.keys()
    same = [key for key in exact if exact[key]["class"] == quantized[key]["class"]]
    assert len(same) >= 0.8 * len(exact)
    assert np.median([_cosine(exact[key]["feature"], quantized[key]["feature"]) for key in same]) > 0.98
    manifest = json.loads((output / "_manifest.json").read_text())
    assert manifest["engine"]["name"] == engine
    assert manifest["engine"]["precision"] == "int8"
    assert manifest["engine"]["quantization"]["cosine"] > 0.98
    (stored,) = output.glob("_featx/*/quantization.json")
    calibration = stored.read_bytes()
    for marker in output.glob("_featx/*/done/*"):
        marker.unlink()
    for manifest_of_run in output.glob("_featx/*/manifest.json"):
        manifest_of_run.unlink()
    again = runner.run(spec(images, output, engine=engine, precision="int8", quantization=loose), "uid-int8", 2)
    assert again.failure is None
    assert stored.read_bytes() == calibration
    assert {row["key"]: row["feature"] for row in rows_of_folder(output).rows} == {
        key: row["feature"] for key, row in quantized.items()
    }


@needs_integers
def test_an_inaccurate_int8_calibration_is_refused_before_anything_is_written(
    runner: Runner, images: Path, tmp_path: Path
) -> None:
    strict = {"images": 8, "minCosine": 1}
    outcome = runner.run(spec(images, tmp_path / "table", precision="int8", quantization=strict))
    assert outcome.failure is not None
    assert outcome.failure.class_ == "Int8Inaccurate"
    assert "spec.quantization.minCosine is 1: use precision bf16" in outcome.failure.message
    assert not outcome.retryable
    assert not list((tmp_path / "table").rglob("*.parquet"))


def test_a_source_without_usable_images_fails_calibration(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(b"no image")
    outcome = runner.run(spec(tmp_path / "images", tmp_path / "table", precision="int8"))
    assert outcome.failure is not None
    assert outcome.failure.class_ == "CalibrationFailed"
    assert "could be used to calibrate" in outcome.failure.message


def test_auto_selects_bf16_if_the_cpu_supports_it_and_reports_its_choice(
    runner: Runner, images: Path, tmp_path: Path
) -> None:
    outcome = runner.run(spec(images, tmp_path / "table", engine="openvino", precision="auto"))
    assert outcome.failure is None
    assert outcome.progress is not None
    supported = "avx512_bf16" in FLAGS or "amx_bf16" in FLAGS
    assert outcome.progress.precision == ("bf16" if supported else "f32")


def _cosine(left: list[float], right: list[float]) -> float:
    one, other = np.array(left), np.array(right)
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
