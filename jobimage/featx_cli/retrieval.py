"""`featx similar` and `featx duplicates`: what a finished table is asked, printed for people or for programs."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from typing import Any

from featx_cli.errors import CommandError

# Right in 99 of 100 pairs on either half of the catalogue (docs/bench/duplicates.md); bits as a share of all bits.
FARTHEST = {"feature": 0.06, "bits": 0.08}


def register(commands: Any) -> None:
    """Adds both commands to the parser."""
    find = commands.add_parser("similar", help="the images nearest to one of a table")
    find.add_argument("--key", required=True, help="the image's key")
    find.add_argument("--count", type=_positive, default=10, help="how many (default 10)")
    find.set_defaults(run=_similar)
    group = commands.add_parser("duplicates", help="groups of near-duplicates in a table")
    group.add_argument(
        "--threshold", type=float, help="cosine distance (default 0.06) or differing bits (default 8 %%)"
    )
    group.add_argument("--format", choices=["text", "json", "csv"], default="text")
    group.set_defaults(run=_duplicates)
    for command in (find, group):
        command.add_argument("table", help="a folder, file:///... or s3://bucket/prefix")
        command.add_argument("--by", choices=["feature", "bits"], default="feature", help="the column compared")
        command.add_argument("--endpoint", help="the S3 server; AWS_* variables hold the credentials")
        command.add_argument("--json", action="store_true", help="print JSON")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _similar(parsed: argparse.Namespace) -> int:
    from featx_retrieval import search, table  # here, so that `featx run` needs no faiss and no pyarrow

    try:
        found = search.similar(parsed.table, parsed.key, parsed.count, parsed.by, parsed.endpoint)
    except table.TableError as error:
        raise CommandError(str(error)) from None
    if parsed.json:
        print(json.dumps([{"key": each.key, "distance": each.distance} for each in found]))
    else:
        for each in found:
            print(f"{each.distance:.4f}  {each.key}")
    return 0


def _duplicates(parsed: argparse.Namespace) -> int:
    from featx_retrieval import duplicates, table

    if parsed.threshold is not None and parsed.threshold < 0:
        raise CommandError(f"--threshold must be 0 or more (it is {parsed.threshold:g})")
    try:
        read = table.read(parsed.table, ["key", parsed.by, "width", "height"], parsed.endpoint)
    except table.TableError as error:
        raise CommandError(str(error)) from None
    threshold = FARTHEST[parsed.by] if parsed.threshold is None else parsed.threshold
    if parsed.by == "bits" and parsed.threshold is None and read.bits is not None:
        threshold *= read.bits.shape[1] * 8
    found = duplicates.groups(read, parsed.by, threshold)
    if parsed.json or parsed.format == "json":
        print(json.dumps([[each._asdict() for each in group] for group in found]))
    elif parsed.format == "csv":
        lines = csv.writer(sys.stdout, lineterminator="\n")
        lines.writerow(["group", "key", "distance"])
        lines.writerows([number, *each] for number, group in enumerate(found) for each in group)
    else:
        for group in found:
            print(group[0].key)
            for each in group[1:]:
                print(f"  {each.distance:.4f}  {each.key}")
    return 0
