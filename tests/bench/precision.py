"""How precisions other than float32 affect detections, features, retrieval and speed.

On the labelled photos of the catalogue, with the two pairs of nets that have real weights. `make bench WHAT=precision`
writes docs/bench/precision.{json,md}.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from featx_cli import named_models as models

from tests.bench import catalogue
from tests.bench.catalogue import Table

PAIRS: dict[str, Callable[[], tuple[dict[str, Any], dict[str, Any]]]] = {
    "COCO SSDLite + SqueezeNet": lambda: (models.coco_detector(), models.squeezenet_extractor()),
    "res10 SSD + thin ResNet-50": lambda: (catalogue.face_detector(), catalogue.resnet_extractor()),
}
CONFIGURATIONS = (("bigdl", "f32"), ("bigdl", "int8"), ("openvino", "f32"), ("openvino", "bf16"), ("openvino", "int8"))
# Accept every result: these measurements are the basis for choosing the tolerances.
ANY = {"minCosine": 0, "minAgreement": 0}
SAME_OVERLAP = 0.5


def main() -> int:
    """Runs the benchmark and writes its results; returns the exit code."""
    rows = []
    for pair, nets in PAIRS.items():
        detector, extractor = nets()
        exact = None
        for engine, precision in CONFIGURATIONS:
            spec = {"detector": detector, "extractor": extractor, "engine": engine, "precision": precision}
            table = catalogue.run(f"{pair}, {engine} {precision}", spec | quantization(precision))
            exact = exact or table
            row = {"pair": pair, "engine": engine, "precision": precision, **compare(table, exact)}
            rows.append(catalogue.report(row))
    results = {"photos": len(table.rows), "rows": rows, **catalogue.environment()}
    catalogue.write("precision", results, page(results))
    return 0


def quantization(precision: str) -> dict[str, Any]:
    """The additional spec fields for a precision."""
    return {"quantization": ANY} if precision == "int8" else {}


def compare(table: Table, exact: Table) -> dict[str, Any]:
    """The differences of a table from bigdl's in float32."""
    assert [row["key"] for row in table.rows] == [row["key"] for row in exact.rows]
    lengths = np.linalg.norm(table.features, axis=1) * np.linalg.norm(exact.features, axis=1)
    cosines = (table.features * exact.features).sum(axis=1) / np.maximum(lengths, 1e-12)
    same = np.array([is_same(*both) for both in zip(table.rows, exact.rows, strict=True)])
    return {
        "imagesPerSecond": table.manifest["progress"]["imagesPerSecond"],
        "agreement": float(same.mean()),
        "cosine": float(cosines.mean()),
        "cosineWhereAgreed": float(cosines[same].mean()),
        **catalogue.difference(table.precisions(), exact.precisions()),
    }


def is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two rows show the same subject: same class, boxes overlapping by half."""
    width = min(one["x1"], other["x1"]) - max(one["x0"], other["x0"])
    height = min(one["y1"], other["y1"]) - max(one["y0"], other["y0"])
    common = max(0.0, width) * max(0.0, height)
    union = sum((row["x1"] - row["x0"]) * (row["y1"] - row["y0"]) for row in (one, other)) - common
    return bool(one["class"] == other["class"] and common >= SAME_OVERLAP * union)


def page(results: dict[str, Any]) -> list[str]:
    """The lines of the page."""
    lines = [
        "# The effect of precisions other than float32",
        "",
        f"{results['photos']} labelled product photos of ten classes, by `featx run` with all cores. Same subject: one",
        "class, boxes overlapping by half, compared with f32 on bigdl; cosine of the features to those; class mAP over",
        "the full ranking, leave one out, its difference to f32 with a 95 % interval. int8 is calibrated on 64.",
        "Images a second include loading the nets: for speed see pipeline.md.",
        catalogue.measured_by("bench WHAT=precision", results),
        "",
        "| nets | engine | precision | same subject | cosine | where same | mAP | difference | interval | images/s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in results["rows"]:
        low, high = row["interval"]
        lines.append(
            f"| {row['pair']} | {row['engine']} | {row['precision']} | {row['agreement']:.1%} | {row['cosine']:.4f} "
            f"| {row['cosineWhereAgreed']:.4f} | {row['mAP']:.3f} | {row['difference']:+.4f} "
            f"| {low:+.4f} to {high:+.4f} | {row['imagesPerSecond']:.0f} |"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
