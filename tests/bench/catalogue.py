"""Runs over the labelled photos of the catalogue, as a user makes them, for benches that judge by retrieval."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from featx_retrieval import ranking
from numpy.typing import NDArray
from pyarrow import dataset

from examples.demo import models
from tests import models as caffe_models
from tests.bench import machine
from tests.pictures import CATALOG

DRAWS, SEED = 2000, 1


@dataclass(frozen=True)
class Table:
    """What a run left, ordered by key.

    Attributes:
        rows: Of the table, without features.
        features: (n, d) float32.
        manifest: The run's.
    """

    rows: list[dict[str, Any]]
    features: NDArray[np.float32]
    manifest: dict[str, Any]

    def precisions(self) -> NDArray[np.float64]:
        """Returns the average precision of each photo as a query; its folder is its class."""
        classes = np.unique([row["key"].split("/")[-2] for row in self.rows], return_inverse=True)[1]
        return ranking.average_precisions(ranking.cosine_distances(self.features), classes.astype(np.int64))


def run(name: str, spec: dict[str, Any]) -> Table:
    """Returns the table of a run over all photos.

    Args:
        name: Of the run, for its error.
        spec: What is not the source and not the output.
    """
    with tempfile.TemporaryDirectory() as folder:
        output, file = Path(folder) / "table", Path(folder) / "run.yaml"
        places = {"source": {"files": {"uri": CATALOG.as_uri()}}, "output": {"uri": output.as_uri()}}
        resource = {
            "apiVersion": "featx.dev/v1alpha1",
            "kind": "FeatureExtraction",
            "metadata": {"name": "bench"},
            "spec": {**places, **spec},
        }
        file.write_text(yaml.safe_dump(resource))
        command = [sys.executable, "-m", "featx_cli", "run", str(file)]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        if outcome.returncode:
            raise SystemExit(f"error: {name}: {outcome.stdout}{outcome.stderr}")
        table = dataset.dataset(sorted(output.glob("*.parquet"))).to_table().sort_by("key")
        manifest = json.loads((output / "_manifest.json").read_text())
    return Table(table.drop_columns(["feature"]).to_pylist(), np.stack(table["feature"].to_numpy()), manifest)


def coco_detector(**settings: Any) -> dict[str, Any]:
    """Returns the detector of general things."""
    pixels = {"channels": "RGB", "mean": [127.5] * 3, "scale": 1 / 127.5}
    return {"model": _onnx(models.coco_ssdlite()), "input": pixels, **settings}


def squeezenet_extractor() -> dict[str, Any]:
    """Returns the extractor of 512 numbers."""
    return {"model": _onnx(models.squeezenet()), "input": {"mean": [104, 117, 123]}, "layer": "feature"}


def face_detector() -> dict[str, Any]:
    """Returns the detector of faces, a Caffe model."""
    return {"model": _caffe(caffe_models.res10()), "input": {"mean": [104, 177, 123]}}


def resnet_extractor() -> dict[str, Any]:
    """Returns the extractor of 1,024 numbers, a Caffe model."""
    return {"model": _caffe(caffe_models.resnet50_thin()), "input": {"mean": [104, 117, 123]}, "layer": "pool"}


def difference(precisions: NDArray[np.float64], base: NDArray[np.float64]) -> dict[str, Any]:
    """Returns the mAP, and its difference to another with a 95 % interval, photos drawn again."""
    pairs = precisions - base
    draws = np.random.default_rng(SEED).integers(0, len(pairs), (DRAWS, len(pairs)))
    low, high = np.percentile(pairs[draws].mean(axis=1), [2.5, 97.5])
    return {
        "mAP": float(precisions.mean()),
        "difference": float(pairs.mean()),
        "interval": [float(low), float(high)],
    }


def surroundings() -> dict[str, Any]:
    """Returns machine, versions and date."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine.described(),
        "versions": {name: version(name) for name in ("featx", "openvino", "numpy")},
    }


def measured_by(target: str, results: dict[str, Any]) -> str:
    """Returns the sentence that says how, when and on what numbers were measured."""
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    return f"`make {target}`, {results['date']}: {results['machine']};\n{versions}."


def _onnx(path: Path) -> dict[str, str]:
    return {"onnx": path.as_uri(), "sha256": models.digest(path)}


def _caffe(files: caffe_models.CaffeFiles) -> dict[str, str]:
    digest = models.digest(files.caffemodel)
    return {"prototxt": files.prototxt.as_uri(), "weights": files.caffemodel.as_uri(), "sha256": digest}
