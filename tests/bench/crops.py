"""`make bench-crops`: what cropping does to retrieval, by policy; writes docs/bench/crops.json and docs/bench/crops.md.

Each policy is a real run of Featx on this machine over the labelled catalogue: COCO's SSDLite, then SqueezeNet's 512
numbers. Judged by class mAP, leave one out, over the full ranking by cosine. Two policies see the same photos, so their
difference is of pairs: its interval comes from drawing photos again (bootstrap).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from featx_retrieval import ranking
from numpy.typing import NDArray
from pyarrow import dataset

from examples.demo import models
from tests.bench import machine
from tests.bench.main_job import FOLDER
from tests.pictures import CATALOG

DRAWS, SEED = 2000, 1
PERSON, CLASSES = 1, 90


class Policy(NamedTuple):
    """A crop policy: its name in the table, and what `spec.detector` says; None crops nothing."""

    name: str
    detector: dict[str, Any] | None


def policy(name: str, score: float, classes: list[int] | None = None, **crop: Any) -> Policy:
    """Returns the policy with these settings of `spec.detector`."""
    bare = {"margin": 0, "minArea": 0}
    return Policy(name, {"scoreThreshold": score, "classes": classes or [], "crop": bare | crop})


POLICIES = [
    Policy("whole picture", None),
    policy("best box, score 0.3", 0.3),
    policy("best box, score 0.5", 0.5),
    policy("best box, score 0.7", 0.7),
    policy("score 0.5, margin 0.1", 0.5, margin=0.1),
    policy("score 0.5, margin 0.25", 0.5, margin=0.25),
    policy("score 0.5, margin 0.5", 0.5, margin=0.5),
    policy("score 0.5, area 0.1", 0.5, minArea=0.1),
    policy("score 0.5, area 0.25", 0.5, minArea=0.25),
    policy("score 0.5, area 0.25, margin 0.1", 0.5, minArea=0.25, margin=0.1),
    policy("persons only, score 0.5", 0.5, [PERSON]),
    policy("all but persons, score 0.5", 0.5, list(range(PERSON + 1, CLASSES + 1))),
]


def main() -> int:
    """Measures and writes; returns the exit code."""
    if not CATALOG.is_dir():
        sys.stderr.write(f"error: the labelled photos are not here ({CATALOG})\n")
        return 1
    rows, whole = [], None
    for each in POLICIES:
        precisions, cropped = judged(each)
        whole = precisions if whole is None else whole
        rows.append({"policy": each.name, "cropped": cropped, **difference(precisions, whole)})
        sys.stdout.write(json.dumps(rows[-1]) + "\n")
        sys.stdout.flush()
    write({"photos": len(precisions), "rows": rows, **surroundings()})
    return 0


def judged(each: Policy) -> tuple[NDArray[np.float64], float]:
    """Returns the average precision of each photo as a query, by key, and the share of photos that were cropped."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "table"
        file = Path(folder) / "run.yaml"
        file.write_text(yaml.safe_dump(resource(each, output)))
        command = [sys.executable, "-m", "featx_cli", "run", str(file)]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        if outcome.returncode:
            raise SystemExit(f"error: {each.name}: {outcome.stdout}{outcome.stderr}")
        rows = dataset.dataset(sorted(output.glob("*.parquet"))).to_table(["key", "feature", "score"]).sort_by("key")
    features = np.stack(rows["feature"].to_numpy())
    labels = np.unique([key.split("/")[-2] for key in rows["key"].to_pylist()], return_inverse=True)[1]
    precisions = ranking.average_precisions(ranking.cosine_distances(features), labels.astype(np.int64))
    return precisions, 1 - rows["score"].null_count / len(rows)


def resource(each: Policy, output: Path) -> dict[str, Any]:
    """Returns the run of a policy."""
    detector = each.detector and {
        "model": model(models.coco_ssdlite()),
        "input": {"channels": "RGB", "mean": [127.5] * 3, "scale": 1 / 127.5},
        **each.detector,
    }
    spec = {
        "source": {"files": {"uri": CATALOG.as_uri()}},
        **({"detector": detector} if detector else {}),
        "extractor": {
            "model": model(models.squeezenet()),
            "input": {"mean": [104, 117, 123]},
            "layer": "feature",
        },
        "engine": "openvino",
        "output": {"uri": output.as_uri()},
    }
    return {
        "apiVersion": "featx.dev/v1alpha1",
        "kind": "FeatureExtraction",
        "metadata": {"name": "crops"},
        "spec": spec,
    }


def model(path: Path) -> dict[str, str]:
    """Returns a model of a file on this machine."""
    return {"onnx": path.as_uri(), "sha256": models.digest(path)}


def difference(precisions: NDArray[np.float64], whole: NDArray[np.float64]) -> dict[str, Any]:
    """Returns the mAP, and its difference to whole pictures with a 95 % interval, photos drawn again."""
    pairs = precisions - whole
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


def write(results: dict[str, Any]) -> None:
    """Writes both files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "crops.json").write_text(json.dumps(results, indent=2) + "\n")
    lines = [
        "# What cropping does to retrieval",
        "",
        f"{results['photos']} labelled product photos of ten classes; COCO SSDLite, SqueezeNet (512 numbers), cosine.",
        "Class mAP over the full ranking, leave one out; difference to whole pictures, with a 95 % interval (photos",
        f"drawn again). `make bench-crops`, {results['date']}: {results['machine']};",
        ", ".join(f"{name} {number}" for name, number in results["versions"].items()) + ".",
        "",
        "| policy | photos cropped | mAP | difference | 95 % interval |",
        "|---|---|---|---|---|",
    ]
    for row in results["rows"]:
        low, high = row["interval"]
        figures = [f"{row['cropped']:.0%}", f"{row['mAP']:.3f}", f"{row['difference']:+.3f}"]
        lines.append("| " + " | ".join([row["policy"], *figures, f"{low:+.3f} to {high:+.3f}"]) + " |")
    (FOLDER / "crops.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
