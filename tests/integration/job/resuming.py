"""Runs interrupted halfway: many small images, and a driver in a separate process that can be killed."""

from __future__ import annotations

import json
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
from tests.support.process_tree import signal_tree

IMAGES, SHARD = 400, 4
SHARDS = IMAGES // SHARD
UID = "uid-killed"
TIMEOUT = 120.0
Stamps = dict[str, tuple[int, int]]


class Scene(NamedTuple):
    """A run and the folder of its table."""

    spec: Spec
    output: Path
    uid: str = UID

    @property
    def run_folder(self) -> Path:
        return self.output / "_featx" / self.uid

    def with_output(self, output: Path) -> Scene:
        """The same run with another output."""
        return Scene({**self.spec, "output": {**self.spec["output"], "uri": f"file://{output}"}}, output)

    def done(self) -> set[str]:
        folder = self.run_folder / "done"
        return {path.name for path in folder.glob("[0-9]*.json")} if folder.is_dir() else set()

    def file_stamps(self) -> Stamps:
        """Modification time and inode of each shard's file: both change if it is written again."""
        files = [*self.run_folder.glob("features/part-*"), *self.output.glob("part-*")]
        return {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in files}


def scene(tiny: Spec, images: Path, output: Path, form: str = "parquet") -> Scene:
    """A run over many images, of which one in fifty is not an image."""
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
    """Starts a driver and its JVM, and kills both when the block ends."""
    settings = {"jars": str(environment.jars), "work": str(folder / "work")}
    (folder / "job.json").write_text(json.dumps({"job": job(scene.spec, scene.uid).to_wire(), **settings}))
    command = [sys.executable, "-m", "tests.integration.job.program_process"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, str(folder / "job.json"), str(folder / "outcome.json")],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        signal_tree(process.pid, signal.SIGKILL)
        process.wait()


def wait_until(process: subprocess.Popen[bytes], folder: Path, condition: Callable[[], bool]) -> None:
    """Waits until a running driver meets a condition."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()[-3000:]
        time.sleep(0.005)


def wait_for_some_shards(scene: Scene, process: subprocess.Popen[bytes], folder: Path) -> None:
    """Waits until three shards are done."""
    wait_until(process, folder, lambda: len(scene.done()) >= 3)
