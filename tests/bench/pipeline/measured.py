"""Runs a program and measures it from outside: the time of its Parquet files, its processor time, its memory."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet
from featx_cli.java_build import cache_folder
from numpy.typing import NDArray

Floats = NDArray[np.float32]

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
SAMPLE_SECONDS = 0.2


@dataclass(frozen=True)
class Measured:
    """What one run of a row came to.

    Attributes:
        images: Rows written.
        seconds: From the program's start to its end.
        steady: Images a second while all is running (`slope`), 0 where there is one file only.
        cpu: Processor seconds an image in that time, of all its processes.
        peak: Largest sum of its processes' resident memory, MiB.
        cosine: Median cosine of its features to those of the first row that ran: whether it did the same work.
        finished: When each file was there, in seconds after the start, and its rows.
    """

    images: int
    seconds: float
    steady: float
    cpu: float
    peak: float
    cosine: float = 0.0
    finished: tuple[tuple[float, int], ...] = ()


class RowFailed(Exception):
    """A program that did not end well; the message is the last that it said."""


def run(command: list[str], output: Path, log: Path, environment: dict[str, str], cpus: set[int]) -> Measured:
    """Runs a program that writes a table.

    Args:
        command: The program and its arguments.
        output: Folder that it writes Parquet files to.
        log: File for what it says.
        environment: Its variables, beside this process's own.
        cpus: Processors that it may use.

    Raises:
        RowFailed: It ended with an error.
    """
    samples, seconds, started = observed(command, log, environment, cpus)
    files = sorted((path.stat().st_mtime - started, rows(path)) for path in tables(output))
    images = sum(count for _, count in files)
    steady = cpu = 0.0
    if len(files) > 1:
        first, last = files[0][0], files[-1][0]
        steady = slope(files)
        cpu = (at(samples, last) - at(samples, first)) / (steady * (last - first))
    peak = max(each.memory for each in samples)
    return Measured(images, seconds, steady, cpu, peak, finished=tuple(files))


def slope(files: list[tuple[float, int]]) -> float:
    """Returns images a second, as the line through all files' ends and the images done by then.

    Who works on three files at once ends three at once: counted from one end to another, the speed would seem up to
    two thirds more than it is. Every such group lies about the line in the same way.

    Args:
        files: When each was there, in seconds, and its images; in order.
    """
    times = np.array([time for time, _ in files])
    return float(np.polyfit(times, np.cumsum([count for _, count in files]), 1)[0])


@dataclass(frozen=True)
class Sample:
    """A look at a tree of processes: seconds after the start, processor seconds used until then, MiB resident."""

    time: float
    cpu: float
    memory: float


def observed(
    command: list[str], log: Path, environment: dict[str, str], cpus: set[int]
) -> tuple[list[Sample], float, float]:
    """Runs a program; returns samples, seconds from start to end, and when it started.

    Raises:
        RowFailed: It ended with an error.
    """
    samples: list[Sample] = []
    ended = threading.Event()
    started = time.time()
    with log.open("w") as text:
        process = subprocess.Popen(
            command,
            stdout=text,
            stderr=subprocess.STDOUT,
            env=os.environ | environment,
            start_new_session=True,  # by which all its processes are known, whoever their parent is by then
            preexec_fn=lambda: os.sched_setaffinity(0, cpus),
        )
        used: dict[int, float] = {}

        def look() -> None:
            while True:
                memory = 0.0
                for pid, cpu, resident in of_session(process.pid):
                    used[pid], memory = cpu, memory + resident
                samples.append(Sample(time.time() - started, sum(used.values()), memory))
                if ended.wait(SAMPLE_SECONDS):
                    return  # what is left of the session does no work for the row

        looking = threading.Thread(target=look, daemon=True)
        looking.start()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.time() - started
        ended.set()
        looking.join()
    # What was used after the last look, as far as the system tells it of the program and of those that it waited for.
    samples[-1] = replace(samples[-1], cpu=max(samples[-1].cpu, usage.ru_utime + usage.ru_stime))
    if process.returncode:
        raise RowFailed(reason(log))
    return samples, seconds, started


def of_session(session: int) -> list[tuple[int, float, float]]:
    """Returns each process of a session: its id, processor seconds, and MiB resident."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            if int(fields[3]) == session:
                cpu, resident = (int(fields[11]) + int(fields[12])) / TICK, int(fields[21]) * PAGE / 2**20
                found.append((int(folder.name), cpu, resident))
    return found


def at(samples: list[Sample], moment: float) -> float:
    """Returns the processor seconds used until a moment, read off between two samples."""
    before = after = samples[0]
    for after in samples:
        if after.time >= moment:
            break
        before = after
    if after.time <= before.time:
        return before.cpu
    share = (moment - before.time) / (after.time - before.time)
    return before.cpu + min(share, 1) * (after.cpu - before.cpu)


def tables(output: Path) -> list[Path]:
    """Returns the Parquet files of a table, without what lies in hidden folders."""
    found = output.rglob("*.parquet")
    return [path for path in found if not any(part[0] in "_." for part in path.relative_to(output).parts)]


def rows(path: Path) -> int:
    """Returns how many rows a Parquet file has."""
    return int(pyarrow.parquet.read_metadata(path).num_rows)


def features(output: Path) -> dict[str, Floats]:
    """Returns the features of a table by the images' file names."""
    found = {}
    for path in tables(output):
        table = pyarrow.parquet.read_table(path, columns=["key", "feature"])
        for key, feature in zip(table["key"], table["feature"], strict=True):
            found[Path(key.as_py()).name] = feature.values.to_numpy()
    return found


def cosine(found: dict[str, Floats], others: dict[str, Floats]) -> float:
    """Returns the median cosine of features of the same images; 0 where they are no features of one layer."""
    pairs = [(feature, others[name]) for name, feature in found.items() if name in others]
    values = [a @ b / (np.linalg.norm(a) * np.linalg.norm(b)) for a, b in pairs if a.shape == b.shape]
    return float(np.median(values)) if values else 0.0


def reason(log: Path) -> str:
    """Returns the last line of a log that names an error, or its last line; keeps the log in the user's cache."""
    kept = cache_folder() / "logs" / f"bench-{log.parent.name}.log"
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(log, kept)
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(error|[\w.]*(Error|Exception|Failed|Failure)\w*): ", line)]
    # What is refused, and why, come on lines of their own.
    if errors and errors[-1].endswith(":"):
        errors[-1] = " ".join(lines[lines.index(errors[-1]) :])
    return ([*lines, *errors] or ["it said nothing"])[-1][:300]
