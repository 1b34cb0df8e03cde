"""Runs over the labelled photos of the catalogue, as a user would run them, for benchmarks of retrieval."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from featx_api import API_VERSION, KIND
from featx_cli import named_models as models
from numpy.typing import NDArray
from pyarrow import dataset

from tests.bench import machine, ranking
from tests.bench.main_job import FOLDER
from tests.support import models as caffe_models
from tests.support.images import CATALOG

DRAWS, SEED = 2000, 1
Image = NDArray[np.uint8]
Change = Callable[[Image], Image]


@dataclass(frozen=True)
class Table:
    """The table of a run, ordered by key.

    Attributes:
        rows: Rows without features.
        features: (n, d) float32.
        manifest: The run's manifest.
    """

    rows: list[dict[str, Any]]
    features: NDArray[np.float32]
    manifest: dict[str, Any]

    def precisions(self) -> NDArray[np.float64]:
        """The average precision of each photo as a query; its folder is its class."""
        classes = np.unique([row["key"].split("/")[-2] for row in self.rows], return_inverse=True)[1]
        return ranking.average_precisions(ranking.cosine_distances(self.features), classes.astype(np.int64))


def photos() -> list[Path]:
    """The labelled photos, sorted by name; exits if they are missing."""
    if not CATALOG.is_dir():
        raise SystemExit(f"error: labelled photos not found ({CATALOG})")
    return sorted(CATALOG.rglob("*.jpg"))


def run(name: str, spec: dict[str, Any]) -> Table:
    """The table of a run over all photos.

    Args:
        name: Name of the run, for error messages.
        spec: The spec, without source and output.
    """
    photos()
    return _run(name, CATALOG, spec)


def altered(changes: Sequence[Change]) -> NDArray[np.float32]:
    """SqueezeNet's features of all photos after each change: (changes, photos, 512)."""
    with tempfile.TemporaryDirectory() as text:
        for index, path in enumerate(photos()):
            image = cv2.imread(str(path), cv2.IMREAD_COLOR).astype(np.uint8)
            for place, change in enumerate(changes):
                copy = Path(text) / f"{place:03}" / f"{index:04}.png"
                copy.parent.mkdir(exist_ok=True)
                cv2.imwrite(str(copy), change(image), [cv2.IMWRITE_PNG_COMPRESSION, 1])
        spec = {"extractor": models.squeezenet_extractor(), "engine": "openvino"}
        features = _run("altered photos", Path(text), spec).features
    return features.reshape(len(changes), -1, features.shape[1])


def _run(name: str, images: Path, spec: dict[str, Any]) -> Table:
    with tempfile.TemporaryDirectory() as folder:
        output, file = Path(folder) / "table", Path(folder) / "run.yaml"
        locations = {"source": {"files": {"uri": images.as_uri()}}, "output": {"uri": output.as_uri()}}
        resource = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": "bench"},
            "spec": {**locations, **spec},
        }
        file.write_text(yaml.safe_dump(resource))
        command = [sys.executable, "-m", "featx_cli", "run", str(file)]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        if outcome.returncode:
            raise SystemExit(f"error: {name}: {outcome.stdout}{outcome.stderr}")
        table = dataset.dataset(sorted(output.glob("*.parquet"))).to_table().sort_by("key")
        manifest = json.loads((output / "_manifest.json").read_text())
    return Table(table.drop_columns(["feature"]).to_pylist(), np.stack(table["feature"].to_numpy()), manifest)


def face_detector() -> dict[str, Any]:
    """The face detector, a Caffe model."""
    return {"model": _caffe(caffe_models.res10()), "input": {"mean": [104, 177, 123]}}


def resnet_extractor() -> dict[str, Any]:
    """The extractor of 1,024 numbers, a Caffe model."""
    return {"model": _caffe(caffe_models.resnet50_thin()), "input": {"mean": [104, 117, 123]}, "layer": "pool"}


def difference(precisions: NDArray[np.float64], base: NDArray[np.float64]) -> dict[str, Any]:
    """The mAP and its difference to a baseline, with a 95 % bootstrap interval over photos."""
    pairs = precisions - base
    draws = np.random.default_rng(SEED).integers(0, len(pairs), (DRAWS, len(pairs)))
    low, high = np.percentile(pairs[draws].mean(axis=1), [2.5, 97.5])
    return {
        "mAP": float(precisions.mean()),
        "difference": float(pairs.mean()),
        "interval": [float(low), float(high)],
    }


def environment() -> dict[str, Any]:
    """Machine, versions and date."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine.described(),
        "versions": {name: version(name) for name in ("featx", "openvino", "numpy")},
    }


def measured_by(target: str, results: dict[str, Any]) -> str:
    """A sentence with the command, date, machine and versions of the measurement."""
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    return f"`make {target}`, {results['date']}: {results['machine']};\n{versions}."


def report(row: dict[str, Any]) -> dict[str, Any]:
    """Prints a row as soon as it is measured and returns it."""
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()
    return row


def write(name: str, results: dict[str, Any], lines: list[str]) -> None:
    """Writes the numbers and the page, docs/bench/NAME.{json,md}."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(results, indent=2) + "\n")
    (FOLDER / f"{name}.md").write_text("\n".join(lines) + "\n")


def _caffe(files: caffe_models.CaffeFiles) -> dict[str, str]:
    digest = models.digest(files.caffemodel)
    return {"prototxt": files.prototxt.as_uri(), "weights": files.caffemodel.as_uri(), "sha256": digest}
