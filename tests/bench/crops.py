"""`make bench-crops`: what cropping does to retrieval, by policy; writes docs/bench/crops.json and docs/bench/crops.md.

Each policy is a real run of Featx on this machine over the labelled catalogue: COCO's SSDLite, then SqueezeNet's 512
numbers. Judged by class mAP, leave one out, over the full ranking by cosine. Two policies see the same photos, so their
difference is of pairs: its interval comes from drawing photos again (bootstrap).
"""

from __future__ import annotations

import json
import sys
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.bench import catalogue
from tests.bench.main_job import FOLDER
from tests.pictures import CATALOG

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
        rows.append({"policy": each.name, "cropped": cropped, **catalogue.difference(precisions, whole)})
        sys.stdout.write(json.dumps(rows[-1]) + "\n")
        sys.stdout.flush()
    write({"photos": len(precisions), "rows": rows, **catalogue.surroundings()})
    return 0


def judged(each: Policy) -> tuple[NDArray[np.float64], float]:
    """Returns the average precision of each photo as a query, by key, and the share of photos that were cropped."""
    detector = {} if each.detector is None else {"detector": catalogue.coco_detector(**each.detector)}
    spec = {**detector, "extractor": catalogue.squeezenet_extractor(), "engine": "openvino"}
    table = catalogue.run(each.name, spec)
    cropped = sum(row["score"] is not None for row in table.rows)
    return table.precisions(), cropped / len(table.rows)


def write(results: dict[str, Any]) -> None:
    """Writes both files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "crops.json").write_text(json.dumps(results, indent=2) + "\n")
    lines = [
        "# What cropping does to retrieval",
        "",
        f"{results['photos']} labelled product photos of ten classes; COCO SSDLite, SqueezeNet (512 numbers), cosine.",
        "Class mAP over the full ranking, leave one out; difference to whole pictures, with a 95 % interval (photos",
        "drawn again). " + catalogue.measured_by("bench-crops", results),
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
