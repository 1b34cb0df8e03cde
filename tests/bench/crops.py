"""`make bench WHAT=crops`: how crop policies affect retrieval; writes docs/bench/crops.json and docs/bench/crops.md.

Each policy is a real run of Featx on this machine over the labelled catalogue: COCO's SSDLite, then SqueezeNet's 512
numbers. Scored by leave-one-out class mAP over the full cosine ranking. Policies share the photos, so differences are
paired, and their intervals are bootstrapped.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import numpy as np
from featx_cli import named_models as models
from numpy.typing import NDArray

from tests.bench import catalogue

PERSON, CLASSES = 1, 90


class Policy(NamedTuple):
    """A crop policy: its name in the table and its `spec.detector`; None crops nothing."""

    name: str
    detector: dict[str, Any] | None


def policy(name: str, score: float, classes: list[int] | None = None, **crop: Any) -> Policy:
    """A policy with these settings in `spec.detector`."""
    bare = {"margin": 0, "minArea": 0}
    return Policy(name, {"scoreThreshold": score, "classes": classes or [], "crop": bare | crop})


POLICIES = [
    Policy("whole image", None),
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
    """Runs the benchmark and writes its results; returns the exit code."""
    rows, whole = [], None
    for crop_policy in POLICIES:
        precisions, cropped = evaluate(crop_policy)
        whole = precisions if whole is None else whole
        row = {"policy": crop_policy.name, "cropped": cropped, **catalogue.difference(precisions, whole)}
        rows.append(catalogue.report(row))
    results = {"photos": len(precisions), "rows": rows, **catalogue.environment()}
    catalogue.write("crops", results, page(results))
    return 0


def evaluate(crop_policy: Policy) -> tuple[NDArray[np.float64], float]:
    """The average precision of each photo as a query, by key, and the share of cropped photos."""
    detector = {} if crop_policy.detector is None else {"detector": {**models.coco_detector(), **crop_policy.detector}}
    spec = {**detector, "extractor": models.squeezenet_extractor(), "engine": "openvino"}
    table = catalogue.run(crop_policy.name, spec)
    cropped = sum(row["score"] is not None for row in table.rows)
    return table.precisions(), cropped / len(table.rows)


def page(results: dict[str, Any]) -> list[str]:
    """The lines of the page."""
    lines = [
        "# What cropping does to retrieval",
        "",
        f"{results['photos']} labelled product photos of ten classes; COCO SSDLite, SqueezeNet (512 numbers), cosine.",
        "Class mAP over the full ranking, leave one out; difference to whole images, with a 95 % interval (photos",
        "drawn again). " + catalogue.measured_by("bench WHAT=crops", results),
        "",
        "| policy | photos cropped | mAP | difference | 95 % interval |",
        "|---|---|---|---|---|",
    ]
    for row in results["rows"]:
        low, high = row["interval"]
        figures = [f"{row['cropped']:.0%}", f"{row['mAP']:.3f}", f"{row['difference']:+.3f}"]
        lines.append("| " + " | ".join([row["policy"], *figures, f"{low:+.3f} to {high:+.3f}"]) + " |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
