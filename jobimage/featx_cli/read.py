"""`featx read RESOURCE`: reads a resource's source without nets, and says how fast that went."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from featx_job import failures, read_source
from featx_job.failures import RunFailure

from featx_cli import resource_file, run
from featx_cli.errors import CommandError


def register(commands: Any) -> None:
    """Adds the command to the parser."""
    read = commands.add_parser("read", help="read a resource's source without running any net: can it be, and how fast")
    read.add_argument("file", type=Path, help="YAML file with the resource")
    read.add_argument("--json", action="store_true", help="print JSON")
    run.add_arguments(read)
    read.set_defaults(run=_read)


def _read(parsed: argparse.Namespace) -> int:
    resource = resource_file.read(parsed.file)
    with run.local_environment(resource.name, parsed) as (environment, console):
        try:
            found = read_source.read(run.job_of(resource), environment)
        except RunFailure as failure:
            raise CommandError(f"{failure.class_}: {failure}") from None
        except Exception as error:
            raise CommandError(str(failures.from_exception(error))) from None
        if parsed.json:
            console.print_json(json.dumps(found._asdict()))
            return 0
        seconds = found.seconds or 1.0  # of nothing
        speed = f"{found.bytes / seconds / 1e6:.0f} MB/s, {found.images / seconds:.0f} images/s"
        console.print(
            f"{found.images} images, {found.bytes / 1e6:.1f} MB in {found.shards} shards, listed in "
            f"{found.planning:.1f} s and read in {found.seconds:.1f} s ({speed}); "
            f"{found.unreadable} could not be read",
            highlight=False,
        )
    return 0
