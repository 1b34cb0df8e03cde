"""`make bench WHAT=duplicates`: near-duplicates created by known transforms, so that the ground truth is exact.

Every labelled photo of the catalogue gets one altered copy per transform. A pair is a duplicate if both come from the
same photo. Thresholds are chosen on one half of the photos (the largest with a precision of .99 or more) and judged on
the other. Writes docs/bench/duplicates.{json,md}.
"""

from __future__ import annotations

import sys
from typing import Any

import cv2
import numpy as np
from featx_retrieval import deepbit
from featx_retrieval.rotation import rotate
from numpy.typing import NDArray

from tests.bench import catalogue, ranking
from tests.bench.catalogue import Change, Image

Floats = NDArray[np.float64]
LEAST_PRECISION = 0.99


def unchanged(image: Image) -> Image:
    """The image unchanged."""
    return image


def jpeg(quality: int) -> Change:
    """A change that re-encodes an image as JPEG."""

    def reencode(image: Image) -> Image:
        data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return cv2.imdecode(data, cv2.IMREAD_COLOR).astype(np.uint8)

    return reencode


def cropped(share: float) -> Change:
    """A change that crops both dimensions by a share, half at each end."""

    def cut(image: Image) -> Image:
        height, width = (int(size * share / 2) for size in image.shape[:2])
        return image[height : image.shape[0] - height or None, width : image.shape[1] - width or None]

    return cut


def scaled(share: float) -> Change:
    """A change that downscales an image."""
    return lambda image: cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA).astype(np.uint8)


def toned(contrast: float, brightness: float) -> Change:
    """A change of contrast and brightness."""
    return lambda image: cv2.convertScaleAbs(image, alpha=contrast, beta=brightness).astype(np.uint8)


def coloured(blue: float, red: float) -> Change:
    """A change of the white balance."""
    factors = np.array([blue, 1, red])
    return lambda image: np.clip(image * factors, 0, 255).astype(np.uint8)


TRANSFORMS: dict[str, Change] = {
    "JPEG quality 90": jpeg(90),
    "JPEG quality 50": jpeg(50),
    "JPEG quality 20": jpeg(20),
    "half the size": scaled(0.5),
    "a quarter of the size": scaled(0.25),
    "brighter by 30": toned(1, 30),
    "contrast 1.3": toned(1.3, -20),
    "warmer": coloured(0.85, 1.15),
    "cropped by 5 %": cropped(0.05),
    "cropped by 10 %": cropped(0.1),
    "cropped by 20 %": cropped(0.2),
    "turned by 2 degrees": lambda image: rotate(image, 2),
    "turned by 5 degrees": lambda image: rotate(image, 5),
    "turned by 10 degrees": lambda image: rotate(image, 10),
    "mirrored": lambda image: cv2.flip(image, 1).astype(np.uint8),
}


def main() -> int:
    """Runs the benchmark and writes its results; returns the exit code."""
    features = catalogue.altered([unchanged, *TRANSFORMS.values()])
    ways = {"feature, cosine": (features, "cosine")}
    for bits in (64, 128):
        layer = deepbit.fit(features[0][::2], bits)  # the unchanged photos that thresholds are chosen on
        ways[f"{bits} bits, Hamming"] = (np.stack([layer.bits(variant) for variant in features]), "hamming")
    rows = [{"by": name, **judged(values, kind)} for name, (values, kind) in ways.items()]
    results = {"photos": features.shape[1], "rows": rows, **catalogue.environment()}
    catalogue.write("duplicates", results, page(results))
    return 0


def judged(values: NDArray[Any], kind: str) -> dict[str, Any]:
    """The threshold chosen on one half of the photos, and its quality on the other half.

    Args:
        values: (1 + transforms, photos, d): features, or bits.
        kind: Distance measure, `cosine` or `hamming`.
    """
    first = distances(values[:, ::2], kind)
    same, other = distances(values[:, 1::2], kind)
    threshold = chosen(*first)
    most = chosen(same, other)
    true, false = int((same <= threshold).sum()), int((other <= threshold).sum())
    return {
        "threshold": threshold,
        "otherHalfs": most,
        "precision": true / max(1, true + false),
        "recall": true / same.size,
        "byTransform": {name: float((pairs <= threshold).mean()) for name, pairs in zip(TRANSFORMS, same, strict=True)},
    }


def distances(values: NDArray[Any], kind: str) -> tuple[Floats, Floats]:
    """Distances of photos to their own copies (transforms, photos), and to copies of other photos."""
    photos = values.shape[1]
    flat = values.reshape(-1, values.shape[2])
    measure = ranking.cosine_distances if kind == "cosine" else ranking.hamming_distances
    square = measure(flat)[:photos].reshape(photos, -1, photos)  # photo, transform, photo
    own = np.arange(photos)
    same = square[own, 1:, own].T
    others = square[~np.broadcast_to(np.eye(photos, dtype=bool)[:, None, :], square.shape)]
    return same, others


def chosen(same: Floats, others: Floats) -> float:
    """The largest threshold at which at least 99 of 100 pairs are duplicates."""
    candidates = np.unique(same)
    true = np.searchsorted(np.sort(same, axis=None), candidates, side="right")
    false = np.searchsorted(np.sort(others, axis=None), candidates, side="right")
    precise = true / (true + false) >= LEAST_PRECISION
    return float(candidates[precise].max()) if precise.any() else 0.0


def page(results: dict[str, Any]) -> list[str]:
    """The lines of the page."""
    rows = results["rows"]
    lines = [
        "# Near-duplicates of known origin",
        "",
        f"{results['photos']} product photos and {len(TRANSFORMS)} altered copies of each; features of SqueezeNet of",
        "whole images, codes fitted to half of them (DeepBit). The threshold is the largest that is right in 99",
        "of 100 pairs on that half; precision and recall are of the other half, over all pairs of a photo and a copy.",
        catalogue.measured_by("bench WHAT=duplicates", results),
        "",
        "| | " + " | ".join(row["by"] for row in rows) + " |",
        "|---" * (len(rows) + 1) + "|",
        "| threshold | " + " | ".join(f"{row['threshold']:.3g}" for row in rows) + " |",
        "| threshold chosen on the other half | " + " | ".join(f"{row['otherHalfs']:.3g}" for row in rows) + " |",
        "| precision | " + " | ".join(f"{row['precision']:.3f}" for row in rows) + " |",
        "| recall | " + " | ".join(f"{row['recall']:.3f}" for row in rows) + " |",
    ]
    for name in TRANSFORMS:
        lines.append(f"| recall: {name} | " + " | ".join(f"{row['byTransform'][name]:.3f}" for row in rows) + " |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
