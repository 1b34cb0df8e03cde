"""`make bench WHAT=kills`: drivers SIGKILLed at random moments, and the resulting tables.

Every run processes 2,000 small images with tiny nets. Its driver, with the executor in the same process, is killed and
restarted until it finishes; the moments are random over the duration of a whole run, from a seeded generator. In the
end every image must be in the table or in quarantine exactly once.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from featx_cli.java_build import jars

from tests.bench import machine
from tests.integration.job import drawings
from tests.integration.job.runs import Rows, Spec, job, model, rows_of_folder
from tests.support.process_tree import signal_tree
from tests.support.tiny_models import write_tiny_extractor, write_tiny_ssd

IMAGES, SHARD, BROKEN = 2000, 20, 100
KILLS, SEED = 50, 20261125
COLUMNS = ("kills", "rows", "quarantine", "lost", "twice", "seconds")
FOLDER = Path(__file__).resolve().parents[2] / "docs" / "bench"


def main() -> int:
    """Runs the benchmark and writes its results; returns 1 if an image was lost or duplicated."""
    moments, kills = random.Random(SEED), 0
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as text:
        work = Path(text)
        spec = prepare(work)
        whole = attempt(work, spec, "whole", 1, None)[1]
        while kills < KILLS:
            output = f"run-{len(runs)}"
            result = run(work, spec, output, (moments.uniform(1, whole) for _ in range(KILLS - kills)))
            kills += result["kills"]
            runs.append(result)
            sys.stdout.write(json.dumps(result) + "\n")
            sys.stdout.flush()
    write(runs, whole)
    return int(any(result["lost"] or result["twice"] or result["result"] != "Succeeded" for result in runs))


def prepare(work: Path) -> Spec:
    """Writes nets and images; returns a spec without output."""
    (work / "images").mkdir()
    (work / "nets").mkdir()
    for name, data in images().items():
        (work / "images" / name).write_bytes(data)
    return {
        "source": {"files": {"uri": f"file://{work}/images"}},
        "detector": {"model": model(write_tiny_ssd(work / "nets")), "classes": [1]},
        "extractor": {"model": model(write_tiny_extractor(work / "nets")), "layer": "pool", "binarize": {}},
        "execution": {"shardImages": SHARD},
    }


def images() -> dict[str, bytes]:
    """A run's images by name; some are not images."""
    return {
        f"{number:04}.jpg": drawings.encoded(drawings.scene(seed=number % 50)) if number % BROKEN else b"no image"
        for number in range(IMAGES)
    }


def count_images(rows: Rows, quarantine: Rows) -> dict[str, int]:
    """Counts the images in both tables of a run, and those lost or duplicated."""
    keys = [row["key"] for row in [*rows, *quarantine]]
    return {
        "rows": len(rows),
        "quarantine": len(quarantine),
        "twice": len(keys) - len(set(keys)),
        "lost": IMAGES - len(set(keys)),
    }


def run(work: Path, spec: Spec, output: str, moments: Iterator[float]) -> dict[str, Any]:
    """Runs to completion through all kills; returns the result."""
    started, kills, result = time.monotonic(), 0, None
    while result is None:
        moment = next(moments, None)
        result = attempt(work, spec, output, kills + 1, moment)[0]
        kills += result is None
    tables = rows_of_folder(work / output)
    return {
        "kills": kills,
        "result": result,
        **count_images(tables.rows, tables.quarantine),
        "seconds": round(time.monotonic() - started, 1),
    }


def attempt(work: Path, spec: Spec, output: str, number: int, moment: float | None) -> tuple[str | None, float]:
    """Runs one attempt; returns its result, or None if it was killed, and its seconds.

    Args:
        work: Folder of all runs.
        spec: The spec, without output.
        output: Folder of the table below `work`, and the run's name.
        number: Number of the attempt.
        moment: Seconds after which the attempt is killed, or None.
    """
    described = job({**spec, "output": {"uri": f"file://{work / output}"}}, output, number).to_wire()
    outcome = work / f"{output}.json"
    outcome.unlink(missing_ok=True)
    (work / "job.json").write_text(json.dumps({"job": described, "jars": str(jars()), "work": str(work / "work")}))
    command = [sys.executable, "-m", "tests.integration.job.program_process", str(work / "job.json"), str(outcome)]
    started = time.monotonic()
    with (work / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        signal_tree(process.pid, signal.SIGKILL)
        process.wait()
        return None, time.monotonic() - started
    if not outcome.exists():
        raise RuntimeError((work / "log").read_text()[-3000:])
    return str(json.loads(outcome.read_text())["result"]), time.monotonic() - started


def write(runs: list[dict[str, Any]], whole: float) -> None:
    """Writes the JSON file and the page."""
    story = (
        f"times a driver was killed (SIGKILL, with the JVM that is its executor) at a random moment of a run over "
        f"{IMAGES} images, which takes {whole:.0f} s by itself, and started again; seed {SEED}."
    )
    report("kills", "Killed drivers", story, COLUMNS, runs, {"secondsOfAWholeRun": round(whole, 1)})


def report(
    name: str, title: str, story: str, columns: Sequence[str], runs: list[dict[str, Any]], more: dict[str, Any]
) -> None:
    """Writes NAME.json and NAME.md.

    Args:
        name: Name of both files.
        title: Title of the page.
        story: Who was killed and when; follows the number of kills.
        columns: Columns of the table.
        runs: Results of the runs.
        more: Additional fields of the JSON.
    """
    day, kills = datetime.now(UTC).date().isoformat(), sum(result["kills"] for result in runs)
    header = {"date": day, "machine": machine.described(), "seed": SEED, **more}
    (FOLDER / f"{name}.json").write_text(json.dumps({**header, "runs": runs}, indent=2) + "\n")
    lines = [
        f"# {title}\n",
        f"`make bench WHAT=kills`, {day}: {machine.described()}. {kills} {story} Lost and twice: images that are "
        "neither in the table nor in quarantine in the end, and surplus rows.\n",
        f"| run | {' | '.join(columns)} |",
        "|---" * (len(columns) + 1) + "|",
        *(f"| {row} | {' | '.join(str(result[column]) for column in columns)} |" for row, result in enumerate(runs, 1)),
    ]
    (FOLDER / f"{name}.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
