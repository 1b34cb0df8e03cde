"""The one back-off for calls to stores that may come back: HDFS, HBase and S3 wait the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_before_delay, wait_exponential

from featx_job.failures import RunFailure

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0  # seconds
REPORTED_AFTER = 2.0  # seconds of waiting
OnWait = Callable[[str | None], None]
_listeners: list[OnWait] = []  # of this process: stores are called from many threads


@contextmanager
def reporting(on_wait: OnWait) -> Iterator[None]:
    """Report what calls wait for, and None once they got on, from any thread."""
    _listeners.append(on_wait)
    try:
        yield
    finally:
        _listeners.remove(on_wait)


def with_retry(call: Callable[[], T], explain: Callable[[Exception], RunFailure | None], patience: float) -> T:
    """Call a store, and call it again while its failure may pass.

    Args:
        call: May be called several times.
        explain: Maps an exception of the store's client to a failure, or to None if it is not the client's.
        patience: Seconds after which a failure that may pass is final.

    Returns:
        The result of the first call that succeeds.

    Raises:
        RunFailure: The failure of the last call.
    """

    def attempt() -> T:
        try:
            return call()
        except RunFailure:
            raise
        except Exception as error:
            failure = explain(error)
            if failure is None:
                raise
            raise failure from None

    reported: list[str] = []

    def report(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if (state.seconds_since_start or 0.0) >= REPORTED_AFTER:
            reported.append(str(error))
            _report(str(error))

    retrying = Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, RunFailure) and error.retryable),
        wait=wait_exponential(multiplier=FIRST_PAUSE, max=LONGEST_PAUSE),
        stop=stop_before_delay(patience),
        before_sleep=report,
        reraise=True,
    )
    result = retrying(attempt)
    if reported:
        _report(None)
    return result


def _report(text: str | None) -> None:
    for listener in tuple(_listeners):
        listener(text)
