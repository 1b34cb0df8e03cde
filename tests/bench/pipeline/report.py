"""Reports medians of the runs as JSON and as tables."""

from __future__ import annotations

import json
import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench import machine
from tests.bench.pipeline.nets import Pair
from tests.bench.pipeline.rows import BATCH, ROWS

Results = dict[str, Any]
COUNTED = ("steady", "seconds", "cpu", "peak", "cosine", "detector", "extractor")


def empty(cores: int) -> Results:
    """Results without rows, for this machine and today."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine.described(),
        "cores": cores,
        "batch": BATCH,
        "pairs": {},
        "scaling": {},
    }


def read(folder: Path) -> Results:
    """The results of the previous run."""
    results: Results = json.loads((folder / "pipeline.json").read_text())
    return results


def summary(pair: Pair, count: int, runs: dict[str, list[dict[str, Any]]], before: Results | None) -> Results:
    """The medians of each row, or the error of a failed row."""
    rows: dict[str, Any] = dict(before["rows"]) if before else {}
    for name, attempts in runs.items():
        good = [run for run in attempts if "error" not in run]
        if good:
            keys = [key for key in COUNTED if key in good[0]]
            rows[name] = {key: round(statistics.median(run[key] for run in good), 3) for key in keys}
            rows[name]["runs"] = [round(run["steady"], 2) for run in good]
        else:
            rows[name] = {"error": attempts[-1]["error"]}
    for name, row in rows.items():
        bare = rows.get(ROWS[name].bare, {}).get("steady")
        if bare and "steady" in row and not name.endswith("-bare"):
            row["shareOfBare"] = round(row["steady"] / bare, 3)
    return {"title": pair.title, "images": count, "part": pair.part, "rows": rows}


def write(results: Results, folder: Path) -> None:
    """Writes the JSON file and the page."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pipeline.json").write_text(json.dumps(results, indent=2) + "\n")
    (folder / "pipeline.md").write_text(markdown(results))


def markdown(results: Results) -> str:
    """The page."""
    parts = [
        "# The pipeline compared with hand-written alternatives\n",
        f"`make bench WHAT=pipeline`, {results['date']}: {results['machine']}; {results['cores']} threads, batches of "
        f"{results['batch']}. Rows of one table ran in turns on the same images; medians.\n",
        "Images/s: the slope of images done over the files' own times. Whole job: from the "
        "program's start to its end, on so few images mostly start-up. CPU: processor seconds an image of all "
        "processes, in the time of images/s. Memory: the largest sum of resident memory of all its processes. "
        "Share: of the same engine's forwards alone, detector and extractor one after the other. "
        "Cosine: of the features to the first row's, median.\n",
    ]
    parts += [_table(pair) for pair in results["pairs"].values()]
    if any(results["scaling"].values()):
        parts.append(_scaling(results))
    return "\n".join(parts)


def _table(pair: Results) -> str:
    lines = [
        f"## {pair['title']}\n",
        f"{pair['images']} images, {pair['part']} per shard or partition.\n",
        "| row | images/s | share of bare | whole job, s | CPU s/image | memory, MiB | cosine |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in pair["rows"].items():
        if "error" in row:
            lines.append(f"| {ROWS[name].title} | did not run: {row['error'][:120].replace('|', '/')} | | | | | |")
            continue
        share = f"{row['shareOfBare']:.0%}" if "shareOfBare" in row else ""
        job, cpu = (f"{row['seconds']:.1f}", f"{row['cpu']:.3f}") if "cpu" in row else ("", "")
        cosine = f"{row['cosine']:.4f}" if row.get("cosine") else ""
        speed = f"{row['steady']:.1f}"
        if "detector" in row:
            speed += f" ({row['detector']:.1f} and {row['extractor']:.1f})"
        lines.append(f"| {ROWS[name].title} | {speed} | {share} | {job} | {cpu} | {row['peak']:.0f} | {cosine} |")
    return "\n".join(lines) + "\n"


def _scaling(results: Results) -> str:
    lines = [
        "## Two executors\n",
        "Featx, bigdl f32: one process on one core, compared with two processes on a core each, images/s.\n",
        "| nets | one | two | speed-up |",
        "|---|---|---|---|",
    ]
    for name, speeds in results["scaling"].items():
        if speeds:
            title = results["pairs"][name]["title"]
            lines.append(f"| {title} | {speeds['oneCore']} | {speeds['twoOfOneCore']} | {speeds['speedUp']} |")
    return "\n".join(lines) + "\n"
