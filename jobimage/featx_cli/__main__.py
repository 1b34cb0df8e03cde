"""The `featx` command. `featx run FILE` runs a FeatureExtraction on this machine, without a cluster."""

from __future__ import annotations

import argparse
import sys

from featx_cli import fit_deepbit, import_tfjs, read, retrieval, retry_failed, run
from featx_cli.errors import CommandError


def main(arguments: list[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: The command line without the program's name; the process's own where None.

    Returns:
        0; 1 if the run failed; 2 if the command can't be carried out; 130 if it was interrupted.
    """
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="featx", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (run, read, retry_failed, retrieval, fit_deepbit, import_tfjs):
        command.register(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
