"""`make bench WHAT=deepbit`: how well short codes retrieve photos of the same class, compared with their features.

Codes are fitted without labels to one half of the labelled photos, or to all of them, and scored by class mAP: over the
full ranking, and DeepBit's (the first 1,000, divided by the relevant ones found). Writes docs/bench/deepbit.{json,md}.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from featx_retrieval import deepbit
from featx_retrieval.deepbit import ANGLES, Hash
from featx_retrieval.rotation import rotate
from numpy.typing import NDArray

from tests.bench import catalogue, ranking
from tests.bench.baselines import pca_itq, random_projection

Features = NDArray[np.float32]
BITS = (16, 32, 64, 128, 256)
SPLITS = 5
FIRST = 1000


def means(features: Features, bits: int, views: list[Features]) -> Hash:
    """The layer with each unit's mean as its threshold, as in PCA-ITQ, instead of its median."""
    layer = deepbit.fit(features, bits, views)
    return Hash(layer.weight, -(np.asarray(features, np.float64) @ layer.weight.T).mean(axis=0))


def one_threshold(features: Features, bits: int, views: list[Features]) -> Hash:
    """DeepBit's original threshold: one number for all units, here the mean of all outputs."""
    layer = deepbit.fit(features, bits, views)
    outputs = np.asarray(features, np.float64) @ layer.weight.T
    return Hash(layer.weight, np.full(bits, -outputs.mean()))


METHODS: dict[str, Callable[[Features, int, list[Features]], Hash]] = {
    "random projection": lambda features, bits, views: random_projection(features, bits),
    "PCA-ITQ": lambda features, bits, views: pca_itq(features, bits),
    "DeepBit, one threshold": one_threshold,
    "DeepBit, means": means,
    "DeepBit": deepbit.fit,
}


def main() -> int:
    """Runs the benchmark and writes its results; returns the exit code."""
    photos = catalogue.photos()
    labels = np.unique([path.parent.name for path in photos], return_inverse=True)[1].astype(np.int64)
    features = list(catalogue.altered([partial(rotate, degrees=angle) for angle in (0, *ANGLES)]))
    rows = [{"way": "features, cosine", "bits": 0, **score_features(features[0], labels)}]
    for bits in BITS:
        for name, fit in METHODS.items():
            rows.append(catalogue.report({"way": name, "bits": bits, **score_codes(fit, bits, features, labels)}))
    results = {"photos": len(photos), "splits": SPLITS, "rows": rows, **catalogue.environment()}
    catalogue.write("deepbit", results, page(results))
    return 0


def halves(count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two random halves of the photos."""
    order = np.random.default_rng(seed).permutation(count)
    return np.sort(order[: count // 2]), np.sort(order[count // 2 :])


def score_features(features: Features, labels: NDArray[np.int64]) -> dict[str, Any]:
    """The mAP of features over all photos, and over the halves that codes are scored on."""
    held_out = []
    for seed in range(SPLITS):
        _, rest = halves(len(labels), seed)
        held_out.append(_map(ranking.cosine_distances(features[rest]), labels[rest]))
    distances = ranking.cosine_distances(features)
    return _row(_map(distances, labels), _map(distances, labels, FIRST), held_out)


def score_codes(
    fit: Callable[[Features, int, list[Features]], Hash],
    bits: int,
    features: list[Features],
    labels: NDArray[np.int64],
) -> dict[str, Any]:
    """The mAP of codes fitted to all photos, and of codes fitted to one half and scored on the other."""
    held_out = []
    for seed in range(SPLITS) if bits < len(labels) // 2 else ():
        half, rest = halves(len(labels), seed)
        layer = fit(features[0][half], bits, [view[half] for view in features[1:]])
        held_out.append(_map(ranking.hamming_distances(layer.bits(features[0][rest])), labels[rest]))
    codes = fit(features[0], bits, features[1:]).bits(features[0])
    distances = ranking.hamming_distances(codes)
    return _row(_map(distances, labels), _map(distances, labels, FIRST), held_out)


def _map(distances: NDArray[np.float64], labels: NDArray[np.int64], first: int | None = None) -> float:
    return float(ranking.average_precisions(distances, labels, first).mean())


def _row(whole: float, first: float, held_out: list[float]) -> dict[str, Any]:
    row = {"mAP": whole, "mAP@1000": first}
    return row | {"heldOut": float(np.mean(held_out)), "spread": float(np.std(held_out))} if held_out else row


def page(results: dict[str, Any]) -> list[str]:
    """The lines of the page."""
    lines = [
        "# What short codes are worth",
        "",
        f"{results['photos']} labelled product photos of ten classes, whole; features of SqueezeNet (512 numbers),",
        "codes of them; class mAP, leave one out. Fitted to all: codes were fitted, without labels, to the photos that",
        "they are judged on. Held out: fitted to half, judged on the other half, mean and standard deviation of",
        f"{results['splits']} splits. mAP@1000 is DeepBit's count; with so few photos the first 1,000 are all of them.",
        catalogue.measured_by("bench WHAT=deepbit", results),
        "",
        "| bits | way | mAP, fitted to all | mAP@1000 | mAP, held out |",
        "|---|---|---|---|---|",
    ]
    for row in results["rows"]:
        lines.append(
            f"| {row['bits'] or ''} | {row['way']} | {row['mAP']:.3f} | {row['mAP@1000']:.3f} "
            + (f"| {row['heldOut']:.3f} ± {row['spread']:.3f} |" if "heldOut" in row else "| too few photos |")
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
