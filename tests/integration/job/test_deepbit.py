"""`featx fit-deepbit` as users call it, and runs with the extractor it writes, which yields feature and bits."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from featx_cli import named_models as models
from featx_job.nets.graph.operations import FullyConnected
from featx_job.nets.onnx import onnx_reader

from tests.integration.job.runs import Runner, rows_of_folder
from tests.integration.nets.engine import Name
from tests.support.images import write_photographs

BITS = 16


@pytest.fixture(scope="module")
def resource(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A run over scikit-image's photographs with SqueezeNet."""
    folder = tmp_path_factory.mktemp("images")
    write_photographs(folder)
    (folder / "broken.jpg").write_bytes(b"no image")
    spec = {
        "source": {"files": {"uri": folder.as_uri()}},
        "extractor": models.squeezenet_extractor(),
        "output": {"uri": (folder.parent / f"{folder.name}-table").as_uri()},
    }
    return {"apiVersion": "featx.dev/v1alpha1", "kind": "FeatureExtraction", "metadata": {"name": "fit"}, "spec": spec}


@pytest.fixture(scope="module")
def fitted(resource: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The extractor with the hash layer, and the command's output."""
    folder = tmp_path_factory.mktemp("fitted")
    outcome = fit(resource, folder, f"--bits={BITS}")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return folder / "extractor.onnx", outcome.stdout


def fit(resource: dict[str, Any], folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "run.yaml").write_text(yaml.safe_dump(resource))
    command = [sys.executable, "-m", "featx_cli", "fit-deepbit", str(folder / "run.yaml")]
    command += ["--output", str(folder / "extractor.onnx"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("engine", ["bigdl", "openvino"])
def test_bits_are_computed_from_the_feature_in_the_same_row(
    runner: Runner, resource: dict[str, Any], fitted: tuple[Path, str], tmp_path: Path, engine: Name
) -> None:
    path, printed = fitted
    printed_settings = yaml.safe_load(printed[printed.index("  extractor:") :].replace("s3://…", path.as_uri()))[
        "extractor"
    ]
    assert printed_settings["model"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    spec = resource["spec"]
    extractor = {**spec["extractor"], **printed_settings}
    output = {"uri": (tmp_path / "table").as_uri()}
    outcome = runner.run({**spec, "extractor": extractor, "output": output, "engine": engine})
    assert outcome.failure is None
    layer = onnx_reader.read(path.read_bytes()).by_name()["deepbit"].operation
    assert isinstance(layer, FullyConnected)
    rows = rows_of_folder(tmp_path / "table").rows
    assert len(rows) > 20
    for row in rows:
        assert len(row["feature"]) == 512
        values = layer.weight @ np.array(row["feature"], np.float32) + layer.bias
        bits = np.unpackbits(np.frombuffer(row["bits"], np.uint8))[:BITS]
        clear = np.abs(values) > 1e-3 * np.abs(values).max()
        np.testing.assert_array_equal(bits[clear] == 1, values[clear] > 0)


def test_the_command_reports_how_balanced_and_stable_the_bits_are(fitted: tuple[Path, str]) -> None:
    text = " ".join(fitted[1].split())
    match = re.search(r"16 bits from (\d+) images; a bit is set in (\d+)% to (\d+)% .* stays the same for (\d+)%", text)
    assert match is not None, text
    images, low, high, stable = (int(number) for number in match.groups())
    assert images > 20
    assert 40 <= low <= high <= 60
    assert stable > 75


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({"layer": "feture"}, [], "spec.extractor: the net has no layer 'feture'; similar names are feature"),
        ({}, ["--bits=256"], "use fewer --bits or more --images"),
        (
            {"model": {**models.named(models.squeezenet()), "sha256": "0" * 64}},
            [],
            "ModelDigestMismatch: spec.extractor",
        ),
    ],
)
def test_a_failed_fit_is_reported_in_one_line(
    resource: dict[str, Any], tmp_path: Path, change: dict[str, Any], options: list[str], words: str
) -> None:
    spec = resource["spec"]
    outcome = fit({**resource, "spec": {**spec, "extractor": {**spec["extractor"], **change}}}, tmp_path, *options)
    assert outcome.returncode == 2
    assert words in " ".join(outcome.stderr.split())
    assert "Traceback" not in outcome.stdout + outcome.stderr


def test_a_missing_binarize_layer_is_named(runner: Runner, resource: dict[str, Any], tmp_path: Path) -> None:
    binarize = {"method": "fixed", "threshold": 0, "layer": "deepbit"}
    extractor = {**resource["spec"]["extractor"], "binarize": binarize}
    output = {"uri": (tmp_path / "table").as_uri()}
    outcome = runner.run({**resource["spec"], "extractor": extractor, "output": output})
    assert outcome.failure is not None
    assert "no layer 'deepbit'" in outcome.failure.message
