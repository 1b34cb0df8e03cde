"""Runs a program and measures it from outside: the times of its Parquet files, CPU time and memory."""

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
    """The measurements of one run of a row.

    Attributes:
        images: Rows written.
        seconds: From start to end of the program.
        steady: Images per second in the steady state (`slope`); 0 if there is only one file.
        cpu: CPU seconds per image in the steady state, over all its processes.
        peak: Largest sum of its processes' resident memory, MiB.
        cosine: Median cosine similarity to the features of the first row, which shows whether it did the same work.
        finished: Completion time of each file, in seconds after the start, and its rows.
    """

    images: int
    seconds: float
    steady: float
    cpu: float
    peak: float
    cosine: float = 0.0
    finished: tuple[tuple[float, int], ...] = ()


class RowFailed(Exception):
    """A program failed; the message is its last error."""


def run(command: list[str], output: Path, log: Path, environment: dict[str, str], cpus: set[int]) -> Measured:
    """Runs a program that writes a table.

    Args:
        command: The program and its arguments.
        output: Folder of its Parquet files.
        log: File for its output.
        environment: Variables to add to this process's own.
        cpus: Processors it may use.

    Raises:
        RowFailed: The program failed.
    """
    samples, seconds, started = observed(command, log, environment, cpus)
    files = sorted((path.stat().st_mtime - started, rows(path)) for path in tables(output))
    images = sum(count for _, count in files)
    steady = cpu = 0.0
    if len(files) > 1:
        first, last = files[0][0], files[-1][0]
        steady = slope(files)
        cpu = (at(samples, last) - at(samples, first)) / (steady * (last - first))
    peak = max(sample.memory for sample in samples)
    return Measured(images, seconds, steady, cpu, peak, finished=tuple(files))


def slope(files: list[tuple[float, int]]) -> float:
    """Images per second: the slope of a line fitted to the images done at the completion of each file.

    A program that works on three files at once finishes three at once, so measuring from the first file to the last
    would overestimate the speed by up to two thirds. Every such group deviates from the line in the same way.

    Args:
        files: Completion time of each file, in seconds, and its images; in order.
    """
    times = np.array([time for time, _ in files])
    return float(np.polyfit(times, np.cumsum([count for _, count in files]), 1)[0])


@dataclass(frozen=True)
class Sample:
    """A sample of a process tree: seconds since the start, CPU seconds used so far, MiB resident."""

    time: float
    cpu: float
    memory: float


def observed(
    command: list[str], log: Path, environment: dict[str, str], cpus: set[int]
) -> tuple[list[Sample], float, float]:
    """Runs a program; returns samples, its duration in seconds, and its start time.

    Raises:
        RowFailed: The program failed.
    """
    samples: list[Sample] = []
    finished_event = threading.Event()
    started = time.time()
    with log.open("w") as text:
        process = subprocess.Popen(
            command,
            stdout=text,
            stderr=subprocess.STDOUT,
            env=os.environ | environment,
            start_new_session=True,  # identifies all its processes, even if reparented
            preexec_fn=lambda: os.sched_setaffinity(0, cpus),
        )
        used: dict[int, float] = {}

        def sample() -> None:
            while True:
                memory = 0.0
                for pid, cpu, resident in session_processes(process.pid):
                    used[pid], memory = cpu, memory + resident
                samples.append(Sample(time.time() - started, sum(used.values()), memory))
                if finished_event.wait(SAMPLE_SECONDS):
                    return  # remaining processes of the session do no work for the row

        sampler = threading.Thread(target=sample, daemon=True)
        sampler.start()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.time() - started
        finished_event.set()
        sampler.join()
    # CPU used after the last sample, as far as the system reports it for the program and the children it waited for.
    samples[-1] = replace(samples[-1], cpu=max(samples[-1].cpu, usage.ru_utime + usage.ru_stime))
    if process.returncode:
        raise RowFailed(reason(log))
    return samples, seconds, started


def session_processes(session: int) -> list[tuple[int, float, float]]:
    """The processes of a session: id, CPU seconds, and MiB resident."""
    processes = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just exited
                continue
            if int(fields[3]) == session:
                cpu, resident = (int(fields[11]) + int(fields[12])) / TICK, int(fields[21]) * PAGE / 2**20
                processes.append((int(folder.name), cpu, resident))
    return processes


def at(samples: list[Sample], moment: float) -> float:
    """CPU seconds used until a moment, interpolated between two samples."""
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
    """The Parquet files of a table, without those in hidden folders."""
    files = output.rglob("*.parquet")
    return [path for path in files if not any(part[0] in "_." for part in path.relative_to(output).parts)]


def rows(path: Path) -> int:
    """The number of rows of a Parquet file."""
    return int(pyarrow.parquet.read_metadata(path).num_rows)


def features(output: Path) -> dict[str, Floats]:
    """The features of a table, by file name of the image."""
    by_name = {}
    for path in tables(output):
        table = pyarrow.parquet.read_table(path, columns=["key", "feature"])
        for key, feature in zip(table["key"], table["feature"], strict=True):
            by_name[Path(key.as_py()).name] = feature.values.to_numpy()
    return by_name


def cosine(features: dict[str, Floats], reference: dict[str, Floats]) -> float:
    """The median cosine similarity of features of the same images; 0 if they come from different layers."""
    pairs = [(feature, reference[name]) for name, feature in features.items() if name in reference]
    values = [a @ b / (np.linalg.norm(a) * np.linalg.norm(b)) for a, b in pairs if a.shape == b.shape]
    return float(np.median(values)) if values else 0.0


def reason(log: Path) -> str:
    """The last line of a log that names an error, or else its last line; copies the log to the user's cache."""
    copy = cache_folder() / "logs" / f"bench-{log.parent.name}.log"
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(log, copy)
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(error|[\w.]*(Error|Exception|Failed|Failure)\w*): ", line)]
    # A message ending in a colon continues on the following lines.
    if errors and errors[-1].endswith(":"):
        errors[-1] = " ".join(lines[lines.index(errors[-1]) :])
    return ([*lines, *errors] or ["no output"])[-1][:300]
