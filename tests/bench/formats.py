"""Every image format and container, decoded as executors do: error against Pillow, and time per image.

`make bench WHAT=formats` writes docs/bench/formats.{json,md}.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import skimage
from PIL import Image

from tests.bench import catalogue
from tests.integration.images import encodings
from tests.integration.images.decoder import Decoder, by_pillow, difference
from tests.integration.nets.engine import running

SIZE = (512, 384)
ROUNDS = 3


def main() -> int:
    """Runs the benchmark and writes its results; returns the exit code."""
    photo = Image.open(Path(str(skimage.__file__)).parent / "data/astronaut.png").convert("RGB").resize(SIZE)
    with running() as engine:
        decoder = Decoder(engine.gateway)
        rows = [_row(decoder, encoding) for encoding in encodings.encodings(photo)]
    results = {"size": SIZE, "rows": rows, **catalogue.environment()}
    catalogue.write("formats", results, page(results))
    return 0


def _row(decoder: Decoder, encoding: encodings.Encoding) -> dict[str, Any]:
    largest, mean = difference(decoder.decode(encoding.data).pixels, by_pillow(encoding.data))
    row = {"format": encoding.format, "container": encoding.name, "largest": largest, "mean": mean}
    return row | {"milliseconds": decoder.milliseconds(encoding.data, ROUNDS)}


def page(results: dict[str, Any]) -> list[str]:
    """The lines of the page."""
    width, height = results["size"]
    lines = [
        "# Image formats",
        "",
        f"One photograph of {width}x{height} pixels in every format and container, decoded as executors do, and by",
        "Pillow: the largest and the mean difference of a channel, of 255; and the best time of several on one core.",
        catalogue.measured_by("bench WHAT=formats", results),
        "",
        "| format | container | largest | mean | ms |",
        "|---|---|---|---|---|",
    ]
    for row in results["rows"]:
        distance = f"{row['largest']} | {row['mean']:.3f}"
        lines.append(f"| {row['format']} | {row['container']} | {distance} | {row['milliseconds']:.1f} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
