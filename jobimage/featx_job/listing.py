"""Lists a large source while executors already work on what is listed: a thread that fills pieces.

A source of a few objects is listed as a whole before anything starts, so that its mistakes show at once. For a large
one the first piece decides. What fails later ends the attempt, and the next one continues the list.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from itertools import islice

from featx_job.source.objects import SourceObject
from featx_job.source.pieces import PIECE_OBJECTS, Pieces
from featx_job.source.selection import Skipped

LOG = logging.getLogger(__name__)


class Listing:
    """Fills a list in the background."""

    def __init__(self, pieces: Pieces, objects: Iterator[SourceObject], skipped: Skipped) -> None:
        """Prepare.

        Args:
            pieces: The list, which may hold the first objects of the source.
            objects: Those that follow.
            skipped: Counts what is left out, as `objects` is read.
        """
        self._pieces, self._objects, self._skipped = pieces, objects, skipped
        self._problem: BaseException | None = None
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin, once the first piece is there.

        Raises:
            RunFailure: The source can't be listed.
        """
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

    def _next_piece(self) -> None:
        objects = list(islice(self._objects, PIECE_OBJECTS))
        if objects:
            self._pieces.append(objects, self._skipped.counts)
        if len(objects) < PIECE_OBJECTS:
            self._pieces.seal(self._skipped.counts)
            LOG.info("the source is listed: %d images, %d files left out", len(self._pieces), self._skipped.total)
