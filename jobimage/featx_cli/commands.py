"""All commands of `featx`, and its parser. To import them takes seconds: see `__main__`."""

from __future__ import annotations

import argparse
from importlib.metadata import version

from featx_cli import compact, duplicates, fit_deepbit, import_tfjs, read, retry_failed, run, similar


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; the command is the attribute `run` of what it parses."""
    parser = argparse.ArgumentParser(
        prog="featx", description="Run FeatureExtractions on this machine, and search in their tables."
    )
    parser.add_argument(
        "--version", action="version", version=f"featx {version('featx')}", help="show the version and exit"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (run, read, retry_failed, similar, duplicates, compact, fit_deepbit, import_tfjs):
        command.register(commands)
    return parser
