"""`featx run`: runs the driver's program on this machine, with a progress bar in place of a status."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from featx_api.contract import JobSpec, Outcome
from featx_api.failures import FailureClass
from featx_api.names import UrlHost
from featx_api.resource import FeatureExtraction
from featx_api.spec import FeatureExtractionSpec
from featx_api.status import Progress
from featx_api.text import counted, verb
from featx_job import run as job_run
from featx_job.environment import Environment
from featx_job.failures import DRIVER_LOG
from featx_job.table.earlier_output import COMPARED
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from featx_cli import from_options, java_build, option_names, resource_file, run_log, terminal, work_folder
from featx_cli.errors import CommandError
from featx_cli.resource_file import LocalResource

AGAIN = "run the same command again"
# Namespace of the uids of local runs: the same resource is the same run, so that a second command resumes it.
RUNS = uuid.UUID("6b5f3a52-5d0e-4a86-8f0e-8f2c7f0c9a11")


def register(commands: Any) -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("run", help="run a FeatureExtraction on this machine")
    parser.add_argument("file", type=Path, nargs="?", help="YAML file with the resource; - is standard input")
    parser.add_argument("--write", type=Path, metavar="FILE", help="save the resource as a cluster accepts it")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the table that another run, or this one, has written"
    )
    from_options.add_arguments(parser)
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
    parser.add_argument(
        "--url-hosts",
        default="*",
        help="hosts to fetch images from if the source is a table of URLs, separated by commas: example.com, "
        "example.com:8080, *.example.com or *; one with a private address must be named in full, as localhost:8080 "
        "(default: *, all public hosts)",
    )
    parser.add_argument("--cores", type=_cores, help="number of cores to use (default: all)")


def _cores(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a whole number, 1 or more")
    return int(text)


def _run(parsed: argparse.Namespace) -> int:
    try:
        return _run_resource(parsed)
    except CommandError as error:
        raise CommandError(_in_words_of(parsed, str(error), "\n")) from None


def _run_resource(parsed: argparse.Namespace) -> int:
    loaded = _load(parsed)
    with local_environment(loaded.resource.name, parsed) as (environment, console, log):
        started = datetime.now(UTC)
        pinned = loaded.pinned(environment)
        _show(pinned, parsed.write, console)
        job = local_job(pinned.resource)
        outcome = run_with_bar(job, environment, console, overwrite=parsed.overwrite)
        if _is_in_the_way(outcome) and not parsed.overwrite and job_run.can_overwrite(job, environment):
            outcome = _ask_to_overwrite(outcome, job, environment, console)
        if outcome.failure:
            message = _in_words_of(parsed, outcome.failure.message, "; ")
            outcome = outcome.model_copy(update={"failure": outcome.failure.model_copy(update={"message": message})})
        _print_summary(outcome, started, log, console)
    return 0 if outcome.result == "Succeeded" else 1


def _in_words_of(parsed: argparse.Namespace, message: str, separator: str) -> str:
    """Return a message about a resource as its author knows it: without a file, by its options."""
    return message if parsed.file else option_names.translated(message, separator)


def _load(parsed: argparse.Namespace) -> LocalResource:
    given = [f"--{name.replace('_', '-')}" for name in from_options.OPTIONS if getattr(parsed, name) is not None]
    if parsed.file and given:
        raise CommandError(f"{parsed.file} describes the run, so {', '.join(given)} cannot: change the file instead")
    loaded = resource_file.load(parsed.file) if parsed.file else from_options.resource(parsed, os.environ)
    _check_output(loaded.resource.spec)
    return loaded


def _check_output(spec: FeatureExtractionSpec) -> None:
    """Refuses an output inside the source: what a run writes would be read as images, by this run and by all others."""
    source, output = spec.source, spec.output.uri
    if source.s3:
        inside = output.startswith(f"s3://{source.s3.bucket}/{source.s3.prefix}")
    else:
        inside = source.files is not None and _folder(output).is_relative_to(_folder(source.files.uri))
    if inside and not source.keys:
        raise CommandError(f"spec.output.uri: {output} is inside the source; choose a folder outside it")


def _folder(address: str) -> Path:
    """The folder of an address; links count as what they lead to."""
    path = Path(address.removeprefix("file://"))
    return path.resolve() if address.startswith("file://") else path


def _is_in_the_way(outcome: Outcome) -> bool:
    return outcome.failure is not None and outcome.failure.class_ == FailureClass.OUTPUT_EXISTS


def _ask_to_overwrite(outcome: Outcome, job: JobSpec, environment: Environment, console: Console) -> Outcome:
    """Runs the job over the table that is there if the user at the terminal agrees, and otherwise says how to."""
    assert outcome.failure is not None
    if not (sys.stdin.isatty() and console.is_terminal):
        hint = f"{outcome.failure.message}; pass --overwrite to replace it"
        return outcome.model_copy(update={"failure": outcome.failure.model_copy(update={"message": hint})})
    terminal.show(console, outcome.failure.message)
    console.print("Replace this table? [y/N] ", markup=False, highlight=False, end="")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        return outcome
    return run_with_bar(job, environment, console, overwrite=True)


def _show(loaded: LocalResource, write: Path | None, console: Console) -> None:
    """Prints what the user has not written: the whole resource, or digests; and saves it if asked to."""
    if loaded.origin == from_options.ORIGIN:
        for line in loaded.to_yaml().splitlines():
            terminal.show(console, line)
    for part in loaded.unpinned:
        digest = loaded.document["spec"][part]["model"]["sha256"]
        terminal.show(console, f"spec.{part}.model.sha256: {digest} (computed; a cluster requires it)")
    if write:
        loaded.write(write)
        terminal.show(console, f"saved as {write}")


class LocalMachine(NamedTuple):
    """This machine, prepared for a run.

    Attributes:
        environment: Of the run.
        console: The terminal.
        log: The file that has what libraries print.
    """

    environment: Environment
    console: Console
    log: Path


@contextmanager
def local_environment(name: str, parsed: argparse.Namespace) -> Iterator[LocalMachine]:
    """Prepares this machine for a run; meanwhile, what libraries print goes to a log.

    Args:
        name: Name of the resource.
        parsed: See `add_arguments`.

    Yields:
        The machine as the run sees it.

    Raises:
        CommandError: Java or another tool is missing.
    """
    if not shutil.which("java"):
        raise CommandError(
            "java is not on PATH: install Java 17, on Debian with `apt-get install openjdk-17-jdk-headless`"
        )
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")  # a machine may be unable to resolve its own name
    jars = java_build.jars()
    logs = java_build.cache_folder() / "logs" / name
    with work_folder.created() as work, run_log.created(logs) as log, terminal.redirected_to(log) as screen:
        environment = Environment(jars=jars, work=work, temporary=work, secrets=parsed.secrets)
        environment = replace(
            environment,
            claims=parsed.claims or environment.claims,
            cores=parsed.cores or environment.cores,
            url_hosts=_url_hosts(parsed.url_hosts),
        )
        yield LocalMachine(environment, Console(file=screen), log)


def _url_hosts(listed: str) -> tuple[str, ...]:
    hosts = tuple(host.strip().lower() for host in listed.split(",") if host.strip())
    for host in hosts:
        try:
            TypeAdapter(UrlHost).validate_python(host)
        except ValidationError:
            form = "write hosts as example.com, example.com:8080, *.example.com or *, without http://, path or blanks"
            raise CommandError(f"--url-hosts {host}: {form}") from None
    return hosts


def local_job(resource: FeatureExtraction) -> JobSpec:
    """The one job of a resource on this machine. Its uid is derived from what it computes, so a second run resumes."""
    spec = resource.spec
    # Without defaults: a field that an upgrade adds makes no other run of it.
    identity = spec.model_dump(mode="json", include=COMPARED, exclude_defaults=True)
    uid = uuid.uuid5(RUNS, json.dumps([resource.name, identity], sort_keys=True))
    return JobSpec(name=resource.name, namespace=os.environ.get("USER", "local"), uid=str(uid), attempt=1, spec=spec)


def run_with_bar(job: JobSpec, environment: Environment, console: Console, *, overwrite: bool = False) -> Outcome:
    """Runs a job with a progress bar.

    Args:
        job: The run.
        environment: This machine.
        console: Where the bar is shown.
        overwrite: Whether to replace the table that is there.
    """
    speed_column = TextColumn("{task.fields[speed]}", markup=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), speed_column)
    with Bar(*columns, TimeRemainingColumn(), console=console, transient=False) as bar:
        task = bar.add_task(job.name, total=None, speed="starting")

        def show(progress: Progress) -> None:
            speed = f"{progress.images_per_second:.1f} images/s" if progress.images_done else "loading the models"
            speed = terminal.printable(progress.waiting or speed)
            bar.update(task, total=progress.images_total or None, completed=progress.images_done, speed=speed)

        outcome = job_run.run(job, environment, show, overwrite=overwrite)
        if outcome.progress:
            show(outcome.progress)  # a run that had already finished reported none
        return outcome


def _print_summary(outcome: Outcome, started: datetime, log: Path, console: Console) -> None:
    if outcome.failure:
        console.print(f"[red]{outcome.failure.class_}[/red]: ", end="")
        terminal.show(console, outcome.failure.message.replace(DRIVER_LOG, str(log)))
        if outcome.failure.class_ == FailureClass.TOO_MANY_FAILURES:
            terminal.show(console, f"once the images are fixed, or more of them may fail, {AGAIN} to start over")
        elif (
            outcome.retryable and DRIVER_LOG not in outcome.failure.message
        ):  # not caused by the resource: the log may say more
            terminal.show(console, f"log: {log}")
        return
    progress = outcome.progress
    if progress is not None:
        features = progress.images_done - progress.images_failed
        precision = f", computed in {progress.precision}" if progress.precision else ""
        ended, duration = progress.last_update_time, (datetime.now(UTC) - started).total_seconds()
        earlier = ended and ended < started.replace(microsecond=0)
        when = f"already finished at {ended:%F %T} UTC" if earlier else f"{duration:.1f} s"
        terminal.show(
            console, f"{counted(features, 'feature')}, {progress.images_failed} in quarantine, {when}{precision}"
        )
        if earlier:
            terminal.show(console, "pass --overwrite to run it again over the whole source")
        if skipped := progress.files_skipped:
            terminal.show(console, f"{counted(skipped, 'file')} left out (hidden, not selected, or links to folders)")
        if added := progress.files_added:
            terminal.show(console, f"{counted(added, 'file')} came during the run and {verb(added)} not in the table")
        if not progress.images_total:
            terminal.show(console, "no new images in the source: the table is empty, or as it was")
    for table in outcome.outputs:
        rows = f"{table.record_count:7} {'row ' if table.record_count == 1 else 'rows'}"
        terminal.show(console, f"{table.kind:10} {rows} {table.bytes:11} bytes  {table.uri}")
