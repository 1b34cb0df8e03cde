"""Runs that are cut off in the middle: many small images, and a driver in a process of its own that can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from featx_job.environment import Environment

from tests.integration.job import drawings
from tests.integration.job.runs import Spec, job

IMAGES, SHARD = 400, 4
SHARDS = IMAGES // SHARD
UID = "uid-killed"
PATIENCE = 120.0
Stamps = dict[str, tuple[int, int]]


class Scene(NamedTuple):
    """A run and where its table goes."""

    spec: Spec
    output: Path
    uid: str = UID

    @property
    def run_folder(self) -> Path:
        return self.output / "_featx" / self.uid

    def elsewhere(self, output: Path) -> Scene:
        """Returns the same run with another output."""
        return Scene({**self.spec, "output": {**self.spec["output"], "uri": f"file://{output}"}}, output)

    def done(self) -> set[str]:
        folder = self.run_folder / "done"
        return {path.name for path in folder.glob("[0-9]*.json")} if folder.is_dir() else set()

    def stamps(self) -> Stamps:
        """Returns when each shard's file was written, and as which file: a file that is written again has others."""
        files = [*self.run_folder.glob("features/part-*"), *self.output.glob("part-*")]
        return {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in files}


def scene(tiny: Spec, images: Path, output: Path, form: str = "parquet") -> Scene:
    """Returns a run over images, of which one in fifty is none."""
    images.mkdir(exist_ok=True)
    for number in range(IMAGES):
        data = drawings.encoded(drawings.scene(seed=number)) if number % 50 else b"no image"
        (images / f"{number:04}.jpg").write_bytes(data)
    spec = {
        "source": {"files": {"uri": f"file://{images}"}},
        **tiny,
        "output": {"uri": f"file://{output}", "format": form},
        "execution": {"shardImages": SHARD},
    }
    return Scene(spec, output)


@contextmanager
def driver(scene: Scene, folder: Path, environment: Environment) -> Iterator[subprocess.Popen[bytes]]:
    """Starts a driver in a process of its own, with its JVM, and kills both at the end."""
    where = {"jars": str(environment.jars), "work": str(folder / "work")}
    (folder / "job.json").write_text(json.dumps({"job": job(scene.spec, scene.uid).to_wire(), **where}))
    command = [sys.executable, "-m", "tests.integration.job.program_process"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, str(folder / "job.json"), str(folder / "outcome.json")],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # the JVM belongs to it, and dies with it
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def until(process: subprocess.Popen[bytes], folder: Path, met: Callable[[], bool]) -> None:
    """Waits until a condition is met by a driver that runs."""
    deadline = time.monotonic() + PATIENCE
    while not met():
        assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()[-3000:]
        time.sleep(0.005)


def until_some_are_done(scene: Scene, process: subprocess.Popen[bytes], folder: Path) -> None:
    """Waits until three shards are done."""
    until(process, folder, lambda: len(scene.done()) >= 3)
