"""`featx read RESOURCE`: reads a resource's source without running its models, and measures the throughput."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from featx_api.text import counted
from featx_job import failures, read_source
from featx_job.failures import RunFailure

from featx_cli import resource_file, run, terminal
from featx_cli.errors import CommandError


def register(commands: Any) -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("read", help="check that a source is readable and measure its throughput")
    parser.add_argument("file", type=Path, help="YAML file with the resource")
    parser.add_argument("--format", choices=["text", "json"], default="text", help="output format (default: text)")
    run.add_arguments(parser)
    parser.set_defaults(run=_read)


def _read(parsed: argparse.Namespace) -> int:
    resource = resource_file.read(parsed.file)
    with run.local_environment(resource.name, parsed) as (environment, console, log):
        try:
            reading = read_source.read(run.local_job(resource), environment)
        except RunFailure as failure:
            raise CommandError(f"{failure.class_}: {_locally(failure, log)}") from None
        except Exception as error:
            raise CommandError(_locally(failures.from_exception(error), log)) from None
        if parsed.format == "json":
            console.print_json(json.dumps(reading._asdict()))
            return 0
        seconds = reading.seconds or 1.0  # 0 if there was nothing to read
        speed = f"{reading.bytes / seconds / 1e6:.0f} MB/s, {reading.images / seconds:.0f} images/s"
        terminal.show(
            console,
            f"{counted(reading.images, 'image')}, {reading.bytes / 1e6:.1f} MB in "
            f"{counted(reading.shards, 'shard')}, listed in "
            f"{reading.listing:.1f} s and read in {reading.seconds:.1f} s ({speed}); {reading.unreadable} unreadable",
        )
    return 0


def _locally(failure: RunFailure, log: Path) -> str:
    return str(failure).replace(failures.DRIVER_LOG, str(log))
