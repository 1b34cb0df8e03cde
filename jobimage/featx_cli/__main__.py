"""The `featx` command: runs FeatureExtractions on this machine, without a cluster, and searches in their tables.

Only what takes no time is imported here: Ctrl-C must not end in a traceback while the commands are being imported.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

INTERRUPTED = 128 + signal.SIGINT


def main(arguments: list[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: The command line without the program's name. Defaults to the process's own; the process then ends
            with the command.

    Returns:
        0; 1 if the run failed; 2 if the command can't be carried out; 130 if it was interrupted; 141 if the reader of
        its output went away.
    """
    own = arguments is None
    handler = signal.getsignal(signal.SIGINT)
    if own:
        signal.signal(signal.SIGINT, _exit_at_once)
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to resume", file=sys.stderr, flush=True)
        if own:
            _end(INTERRUPTED)
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN if own else handler)  # the command has done its work


def _run(arguments: list[str] | None) -> int:
    from featx_cli import commands, terminal
    from featx_cli.errors import CommandError

    parsed = commands.parser().parse_args(arguments)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        code = int(parsed.run(parsed))
        sys.stdout.flush()
    except CommandError as error:
        terminal.write(f"error: {error}", sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more as it exits
        return 128 + signal.SIGPIPE
    return code


def _exit_at_once(number: int, frame: FrameType | None) -> NoReturn:
    """Ends the process while it imports: libraries may catch exceptions there, and there is nothing to clean up."""
    os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Interrupts the command once: a second Ctrl-C would end the clean-up in the middle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _end(code: int) -> NoReturn:
    """Ends JVM and process. Does not wait for threads, which may be waiting for a store."""
    if java_process := sys.modules.get("featx_job.clients.java_process"):
        java_process.end_all()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
