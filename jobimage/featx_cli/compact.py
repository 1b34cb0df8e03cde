"""`featx compact TABLE`: joins a table's small files."""

from __future__ import annotations

import argparse
from typing import Any

from featx_cli import terminal
from featx_cli.errors import CommandError

MEBIBYTE = 1024 * 1024


def register(commands: Any) -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("compact", help="join the small files of a Delta table")
    parser.add_argument("table", help="a folder, file:///... or s3://bucket/prefix")
    parser.add_argument("--file-size", type=int, default=256, metavar="MIB", help="size of the files (default: 256)")
    parser.add_argument(
        "--remove-old", action="store_true", help="remove the files that no version of the last seven days has"
    )
    parser.add_argument(
        "--endpoint",
        help="URL of the S3 server (default: AWS_ENDPOINT_URL, then AWS); AWS_* variables hold the credentials",
    )
    parser.set_defaults(run=_compact)


def _compact(parsed: argparse.Namespace) -> int:
    from featx_retrieval import compaction, table  # imported here, so that `featx run` needs no deltalake

    if parsed.file_size < 1:
        raise CommandError(f"--file-size must be 1 or more (it is {parsed.file_size})")
    try:
        done = compaction.compact(parsed.table, parsed.endpoint, parsed.file_size * MEBIBYTE, remove=parsed.remove_old)
    except table.TableError as error:
        raise CommandError(str(error)) from None
    if not done.joined:
        terminal.write(f"nothing to do: {done.files:,} files, and no two of them fit into one")
    else:
        now = done.files - done.joined + done.written
        terminal.write(f"{done.files:,} files are {now:,} now: {done.joined:,} were joined into {done.written:,}")
    if parsed.remove_old:
        terminal.write(f"{done.removed:,} old files were removed")
    return 0
