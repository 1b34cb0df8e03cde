"""Errors of requests to S3: what may be quoted of them, and those for which no library raises."""

from __future__ import annotations

import http.client
import ssl

import urllib3


class FailedRequest(Exception):
    """A failed request for which no library raises: its HTTP status and, if there is one, S3's code."""

    def __init__(self, status: int, code: str | None) -> None:
        super().__init__(f"status {status}")
        self.status, self.code = status, code


# Errors whose text names a server and what the operating system reports, but nothing that was received.
UNREACHED = (
    FailedRequest,
    OSError,
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.TimeoutError,
    urllib3.exceptions.SSLError,
)


def problem_of(error: BaseException) -> str:
    """Return why a server was not reached; of one that responded with something else than HTTP, nothing is quoted."""
    reason = getattr(error, "reason", None)
    cause = reason if isinstance(reason, BaseException) else error
    if isinstance(cause, UNREACHED) and not isinstance(cause, http.client.HTTPException):
        return " ".join(str(cause).split())[-200:]
    return type(cause).__name__


def is_untrusted(error: BaseException | None) -> bool:
    """Whether a certificate was refused; urllib3 keeps the last try's error as the reason of its own."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        reason = getattr(error, "reason", None)
        error = reason if isinstance(reason, BaseException) else error.__cause__ or error.__context__
    return error is not None
