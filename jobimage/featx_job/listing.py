"""Lists a large source while executors already work on what is listed: a thread that fills pieces.

A source of a few objects is listed as a whole before anything starts, so that its mistakes show at once. For a large
one the first piece decides. What fails later ends the attempt, and the next one continues the list.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from featx_job.source.pieces import PIECE_OBJECTS, Pieces
from featx_job.source.selection import Skipped

if TYPE_CHECKING:
    import pyarrow as pa

LOG = logging.getLogger(__name__)


class Listing:
    """Fills a list in the background."""

    def __init__(self, pieces: Pieces, tables: Iterator[pa.Table], skipped: Skipped) -> None:
        """Prepare.

        Args:
            pieces: The list, which may hold the first objects of the source.
            tables: Those that follow (`piece_tables`); the last one has less than `PIECE_OBJECTS` rows.
            skipped: Counts what is left out, as tables are read.
        """
        self._pieces, self._tables, self._skipped = pieces, tables, skipped
        self._reader = ThreadPoolExecutor(1, "listing-ahead")
        self._problem: BaseException | None = None
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin, once the first piece is there.

        Raises:
            RunFailure: The source can't be listed.
        """
        self._ahead = self._reader.submit(self._read)
        self._next_piece()
        threading.Thread(target=self._run, daemon=True, name="listing").start()

    def check(self) -> None:
        """Raise what has ended the listing before the source's end."""
        if self._problem is not None:
            raise self._problem

    def stop(self) -> None:
        """End after the piece in hand, since nobody needs more."""
        self._stopped.set()

    def _run(self) -> None:
        try:
            while not self._pieces.complete and not self._stopped.is_set():
                self._next_piece()
        except BaseException as error:  # passed on to the thread that plans
            self._problem = error
        finally:
            self._reader.shutdown(wait=False, cancel_futures=True)

    def _read(self) -> tuple[pa.Table, dict[str, int]]:
        """Return the next table and what was left out up to its end."""
        return next(self._tables), dict(self._skipped.counts)

    def _next_piece(self) -> None:
        """Write a piece while the next one is read."""
        table, skipped = self._ahead.result()
        if len(table) == PIECE_OBJECTS:
            self._ahead = self._reader.submit(self._read)
        if len(table):
            self._pieces.append(table, skipped)
        if len(table) < PIECE_OBJECTS:
            self._pieces.seal(skipped)
            LOG.info("the source is listed: %d images, %d files left out", len(self._pieces), self._skipped.total)
