"""`featx similar TABLE --key KEY`: finds the images that are most similar to a given one."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from typing import Any

from featx_cli import table_arguments, terminal
from featx_cli.errors import CommandError


def register(commands: Any) -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("similar", help="find images similar to a given one")
    table_arguments.add_to(parser)
    parser.add_argument("--key", required=True, help="key of the given image")
    parser.add_argument("--count", type=_positive, default=10, help="number of images to find (default: 10)")
    parser.set_defaults(run=_similar)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _similar(parsed: argparse.Namespace) -> int:
    from featx_retrieval import search, table  # imported here, so that `featx run` needs neither faiss nor pyarrow

    try:
        matches = search.similar(parsed.table, parsed.key, parsed.count, parsed.by, parsed.endpoint)
    except table.TableError as error:
        raise CommandError(str(error)) from None
    if parsed.format == "json":
        print(json.dumps([{"key": match.key, "distance": match.distance} for match in matches]))
    elif parsed.format == "csv":
        lines = csv.writer(sys.stdout, lineterminator="\n")
        lines.writerow(["key", "distance"])
        lines.writerows(terminal.cells([match.key, match.distance]) for match in matches)
    else:
        for match in matches:
            terminal.write(f"{match.distance:.4f}  {terminal.printable(match.key)}")
    return 0
