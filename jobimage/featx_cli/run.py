"""`featx run`: runs the driver's program on this machine, with a progress bar in place of a status."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from featx_api.contract import JobSpec, Outcome
from featx_api.resource import FeatureExtraction
from featx_api.status import Progress
from featx_job import run as job_run
from featx_job.environment import Environment
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from featx_cli import java_build, resource_file, terminal
from featx_cli.errors import CommandError

# Namespace of the uids of local runs: the same resource is the same run, so that a second command resumes it.
RUNS = uuid.UUID("6b5f3a52-5d0e-4a86-8f0e-8f2c7f0c9a11")


def register(commands: Any) -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("run", help="run a FeatureExtraction on this machine")
    parser.add_argument("file", type=Path, help="YAML file with the resource")
    add_arguments(parser)
    parser.set_defaults(run=_run)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options that stand in for what a cluster gives to a run."""
    parser.add_argument(
        "--secrets",
        type=Path,
        help="directory with one subdirectory per Secret; otherwise AWS_* environment variables are used",
    )
    parser.add_argument("--claims", type=Path, help="directory with one subdirectory per PersistentVolumeClaim")
    parser.add_argument("--cores", type=int, help="number of cores to use (default: all)")


def _run(parsed: argparse.Namespace) -> int:
    resource = resource_file.read(parsed.file)
    with local_environment(resource.name, parsed) as (environment, console):
        started = datetime.now(UTC)
        outcome = run_with_bar(local_job(resource), environment, console)
        _print_summary(outcome, started, log_file(resource.name), console)
    return 0 if outcome.result == "Succeeded" else 1


@contextmanager
def local_environment(name: str, parsed: argparse.Namespace) -> Iterator[tuple[Environment, Console]]:
    """Prepares this machine for a run; meanwhile, what libraries print goes to a log.

    Args:
        name: Name of the resource.
        parsed: See `add_arguments`.

    Yields:
        The environment of the run, and the terminal.

    Raises:
        CommandError: Java or another tool is missing.
    """
    if not shutil.which("java"):
        raise CommandError(
            "java is not on PATH: install Java 17, on Debian with `apt-get install openjdk-17-jdk-headless`"
        )
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")  # a machine may be unable to resolve its own name
    jars = java_build.jars()
    with tempfile.TemporaryDirectory(prefix="featx-") as work, terminal.redirected_to(log_file(name)) as screen:
        environment = Environment(jars=jars, work=Path(work), secrets=parsed.secrets)
        environment = replace(
            environment, claims=parsed.claims or environment.claims, cores=parsed.cores or environment.cores
        )
        yield environment, Console(file=screen)


def log_file(name: str) -> Path:
    """The path of the log of a run."""
    return java_build.cache_folder() / "logs" / f"{name}.log"


def local_job(resource: FeatureExtraction) -> JobSpec:
    """The one job of a resource on this machine. Its uid is derived from what it computes, so a second run resumes."""
    spec = resource.spec
    identity = spec.model_dump(
        mode="json", include={"source", "detector", "extractor", "engine", "precision", "quantization", "output"}
    )
    uid = uuid.uuid5(RUNS, json.dumps([resource.name, identity], sort_keys=True))
    return JobSpec(name=resource.name, namespace=os.environ.get("USER", "local"), uid=str(uid), attempt=1, spec=spec)


def run_with_bar(job: JobSpec, environment: Environment, console: Console) -> Outcome:
    """Runs a job with a progress bar."""
    speed_column = TextColumn("{task.fields[speed]}", markup=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), speed_column)
    with Bar(*columns, TimeRemainingColumn(), console=console, transient=False) as bar:
        task = bar.add_task(job.name, total=None, speed="starting")

        def show(progress: Progress) -> None:
            speed = f"{progress.images_per_second:.1f} images/s" if progress.images_done else "loading the models"
            speed = terminal.printable(progress.waiting or speed)
            bar.update(task, total=progress.images_total or None, completed=progress.images_done, speed=speed)

        outcome = job_run.run(job, environment, show)
        if outcome.progress:
            show(outcome.progress)  # a run that had already finished reported none
        return outcome


def _print_summary(outcome: Outcome, started: datetime, log: Path, console: Console) -> None:
    if outcome.failure:
        console.print(f"[red]{outcome.failure.class_}[/red]: ", end="")
        terminal.show(console, outcome.failure.message)
        if outcome.retryable:  # not caused by the resource: the log may say more
            terminal.show(console, f"log: {log}")
        return
    progress = outcome.progress
    if progress is not None:
        features = progress.images_done - progress.images_failed
        precision = f", computed in {progress.precision}" if progress.precision else ""
        ended, duration = progress.last_update_time, (datetime.now(UTC) - started).total_seconds()
        earlier = ended and ended < started.replace(microsecond=0)
        when = f"already finished at {ended:%F %T} UTC" if earlier else f"{duration:.1f} s"
        terminal.show(console, f"{features} features, {progress.images_failed} in quarantine, {when}{precision}")
        if progress.files_skipped:
            terminal.show(console, f"{progress.files_skipped:,} files left out (hidden, or not selected)")
        if progress.files_added:
            terminal.show(console, f"{progress.files_added:,} files came during the run and are not in the table")
        if not progress.images_total:
            terminal.show(console, "no images found in the source; wrote an empty table")
    for table in outcome.outputs:
        terminal.show(console, f"{table.kind:10} {table.record_count:7} rows {table.bytes:11} bytes  {table.uri}")
