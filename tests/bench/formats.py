"""Every image format and container, decoded as executors do: error against Pillow, and time per image.

`make bench WHAT=formats` writes docs/bench/formats.{json,md}.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import skimage
from PIL import Image

from tests.bench import catalogue
from tests.integration.images import encodings
from tests.integration.images.decoder import Decoder, by_pillow, difference
from tests.integration.nets.engine import class_path, running

SIZE = (512, 384)
ROUNDS = 11
DECODE_TIMES = Path(__file__).parent / "DecodeTimes.java"


def main() -> int:
    """Runs the benchmark and writes its results; returns the exit code."""
    photo = Image.open(Path(str(skimage.__file__)).parent / "data/astronaut.png").convert("RGB").resize(SIZE)
    encoded = list(encodings.encodings(photo))
    with running() as engine:
        decoder = Decoder(engine.gateway)
        rows = [_row(decoder, encoding) for encoding in encoded]
    for row, milliseconds in zip(rows, _milliseconds(encoded), strict=True):
        row["milliseconds"] = milliseconds
    results = {"size": SIZE, "rows": rows, "load": os.getloadavg()[0], **catalogue.environment()}
    catalogue.write("formats", results, page(results))
    return 0


def _row(decoder: Decoder, encoding: encodings.Encoding) -> dict[str, Any]:
    largest, mean = difference(decoder.decode(encoding.data).pixels, by_pillow(encoding.data))
    return {"format": encoding.format, "container": encoding.name, "largest": largest, "mean": mean}


def _milliseconds(encoded: list[encodings.Encoding]) -> list[float]:
    """The median time to decode each image, measured inside a warm JVM."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / str(number) for number in range(len(encoded))]
        for file, encoding in zip(files, encoded, strict=True):
            file.write_bytes(encoding.data)
        command = ["java", "-cp", class_path(), str(DECODE_TIMES), str(ROUNDS), *map(str, files)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [float(number) for number in re.findall(r"milliseconds (\S+)", printed)]


def page(results: dict[str, Any]) -> list[str]:
    """The lines of the page."""
    width, height = results["size"]
    lines = [
        "# Image formats",
        "",
        f"One photograph of {width}x{height} pixels in every format and container, decoded as executors do, and by",
        "Pillow: the largest and the mean difference of a channel, of 255; and the median time to read the header and",
        f"decode, of {ROUNDS} decodes inside a warm JVM, while the machine's load was {results['load']:.0f}.",
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
