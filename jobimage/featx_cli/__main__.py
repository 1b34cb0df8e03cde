"""The `featx` command: runs FeatureExtractions on this machine, without a cluster, and searches in their tables."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from importlib.metadata import version
from types import FrameType

from featx_cli import duplicates, fit_deepbit, import_tfjs, read, retry_failed, run, similar, terminal
from featx_cli.errors import CommandError


def main(arguments: list[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: The command line without the program's name. Defaults to the process's own.

    Returns:
        0; 1 if the run failed; 2 if the command can't be carried out; 130 if it was interrupted; 141 if the reader of
        its output went away.
    """
    parsed = _parser().parse_args(arguments)
    handler = signal.signal(signal.SIGINT, _interrupt)
    try:
        code = int(parsed.run(parsed))
        sys.stdout.flush()
    except CommandError as error:
        terminal.write(f"error: {error}", sys.stderr)
        code = 2
    except BrokenPipeError:  # the reader, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more as it exits
        code = 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        print("interrupted; run the same command again to resume", file=sys.stderr)
        return 130
    signal.signal(signal.SIGINT, handler)
    return code


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Interrupts the command once: a second Ctrl-C would end the clean-up in the middle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="featx", description="Run FeatureExtractions on this machine, and search in their tables."
    )
    parser.add_argument(
        "--version", action="version", version=f"featx {version('featx')}", help="show the version and exit"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (run, read, retry_failed, similar, duplicates, fit_deepbit, import_tfjs):
        command.register(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
