"""Whether the watches deliver what this process itself has written.

A watch that stands still raises no error: it looks like a namespace in which nothing happens. So the versions of our
own writes are expected back as events.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, NamedTuple

from featx_operator.objects import Body

Kind = Literal["FeatureExtraction", "Pod"]


class Watched(NamedTuple):
    """What a watch is about."""

    kind: Kind
    namespace: str


class Echoes:
    """Versions that are expected from watches, and when each of these was last heard. Use it from one event loop.

    Args:
        monotonic: Seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._expected: dict[Watched, tuple[int, float]] = {}  # the oldest write, and when it was made
        self._heard: dict[Watched, tuple[int, float]] = {}  # the highest version, and when the last event came

    def expect(self, kind: Kind, written: Body) -> None:
        """Expects an object as the response to our own request has it."""
        watched, version = _watched(kind, written), _version(written)
        heard, _ = self._heard.get(watched, (0, 0.0))
        if version > heard:  # otherwise nothing has changed, or the watch was faster than the response
            self._expected.setdefault(watched, (version, self._monotonic()))

    def hear(self, kind: Kind, delivered: Body) -> None:
        """Records an object that a watch has delivered. Events have the order of their versions."""
        watched, version = _watched(kind, delivered), _version(delivered)
        heard, _ = self._heard.get(watched, (0, 0.0))
        self._heard[watched] = max(heard, version), self._monotonic()
        if watched in self._expected and version >= self._expected[watched][0]:
            del self._expected[watched]

    def overdue(self, seconds: float) -> list[Watched]:
        """The watches that have delivered nothing for so long, although they should have."""
        before = self._monotonic() - seconds
        return [
            watched
            for watched, (_, at) in self._expected.items()
            if at <= before and self._heard.get(watched, (0, at))[1] <= before
        ]

    def forgive(self, watched: Watched) -> None:
        """No longer expects anything of a watch until the next write: the API server refuses it."""
        self._expected.pop(watched, None)


def _watched(kind: Kind, body: Body) -> Watched:
    return Watched(kind, body["metadata"]["namespace"])


def _version(body: Body) -> int:
    return int(body["metadata"].get("resourceVersion") or 0)
