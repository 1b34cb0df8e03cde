"""`featx duplicates TABLE`: finds groups of near-duplicates."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from typing import Any

from featx_cli import table_arguments, terminal
from featx_cli.errors import CommandError

# Right in 99 of 100 pairs on either half of the catalogue (docs/bench/duplicates.md). Of bits, a share of all bits.
THRESHOLDS = {"feature": 0.06, "bits": 0.08}


def register(commands: Any) -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("duplicates", help="find groups of near-duplicates")
    table_arguments.add_to(parser)
    parser.add_argument(
        "--threshold",
        type=float,
        help="largest cosine distance (default: 0.06) or number of differing bits (default: 8 %% of all) of a pair",
    )
    parser.set_defaults(run=_duplicates)


def _duplicates(parsed: argparse.Namespace) -> int:
    from featx_retrieval import duplicates, table  # imported here, so that `featx run` needs neither faiss nor pyarrow

    if parsed.threshold is not None and parsed.threshold < 0:
        raise CommandError(f"--threshold must be 0 or more (it is {parsed.threshold:g})")
    try:
        rows = table.read(parsed.table, ["key", parsed.by, "width", "height"], parsed.endpoint)
    except table.TableError as error:
        raise CommandError(str(error)) from None
    threshold = THRESHOLDS[parsed.by] if parsed.threshold is None else parsed.threshold
    if parsed.by == "bits" and parsed.threshold is None and rows.bits is not None:
        threshold *= rows.bits.shape[1] * 8
    groups = duplicates.groups(rows, parsed.by, threshold)
    if parsed.format == "json":
        print(json.dumps([[member._asdict() for member in group] for group in groups]))
    elif parsed.format == "csv":
        lines = csv.writer(sys.stdout, lineterminator="\n")
        lines.writerow(["group", "key", "distance"])
        numbered = ([number, *member] for number, group in enumerate(groups) for member in group)
        lines.writerows(map(terminal.cells, numbered))
    else:
        for first, *others in groups:
            terminal.write(terminal.printable(first.key))
            for member in others:
                terminal.write(f"  {member.distance:.4f}  {terminal.printable(member.key)}")
    return 0
