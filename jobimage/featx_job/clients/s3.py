"""Reaches S3-compatible stores: a client from a spec's words and mounted credentials, and its errors in a user's words.

Every call goes through `asking`, which waits for a store that does not answer, up to a limit, and turns what the client
raises into a `RunFailure` that names the field to look at.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

import urllib3
from featx_api.failures import FailureClass
from featx_api.source import StoreAccess
from minio import Minio
from minio.credentials.providers import ChainedProvider, EnvAWSProvider, IamAwsProvider
from minio.error import MinioException, S3Error

from featx_job.environment import mounted
from featx_job.failures import RunFailure

T = TypeVar("T")

AWS_ENDPOINT = "https://s3.amazonaws.com"
FIRST_PAUSE = 0.5
AUTHORITY = "ca.crt"  # as cert-manager calls it
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
REFUSALS = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}


class Credentials(NamedTuple):
    """What a store knows its client by."""

    access_key: str
    secret_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        """Shows no secret, wherever this may be printed."""
        return "Credentials(…)"


def credentials(
    access: StoreAccess, field: str, secrets: Path | None, environment: dict[str, str]
) -> Credentials | None:
    """Returns a store's credentials, or None to read it anonymously.

    Args:
        access: How the spec says that the store is reached.
        field: Where in the spec that stands, for the error.
        secrets: Folder with one folder a Secret, or None.
        environment: AWS_* variables, which count where no folder is given (`featx run`).

    Raises:
        RunFailure: SecretNotFound or SecretIncomplete.
    """
    if access.secret_ref is None:
        return None
    name = access.secret_ref.name
    if secrets is None:
        values = environment
        missing = [key for key in KEYS if not values.get(key)]
        hint = "set these variables, or pass the directory of Secrets with --secrets"
    else:
        folder = mounted(secrets, name, f"{field}.secretRef.name")
        values = {path.name: path.read_text().strip() for path in folder.iterdir() if path.is_file()}
        missing = [key for key in KEYS if not values.get(key)]
        hint = "add these keys to it"
    if missing:
        lacks = ", ".join(missing)
        raise RunFailure(
            FailureClass.SECRET_INCOMPLETE, f"{field}.secretRef.name: Secret {name} has no {lacks}; {hint}"
        )
    return Credentials(values[KEYS[0]], values[KEYS[1]], values.get("AWS_SESSION_TOKEN") or None)


def authority(access: StoreAccess, secrets: Path | None) -> Path | None:
    """Returns where the certificates lie that a store's own is to be signed by, beside those that all trust.

    Args:
        access: How the spec says that the store is reached.
        secrets: Folder with one folder a Secret, or None.
    """
    return secrets / access.secret_ref.name / AUTHORITY if secrets and access.secret_ref else None


def client(access: StoreAccess, field: str, secrets: Path | None, environment: dict[str, str]) -> Minio:
    """Returns a client whose calls end in seconds, so that waiting is this module's to decide.

    Args:
        access: How the spec says that the store is reached.
        field: Where in the spec that stands, for errors.
        secrets: Folder with one folder a Secret, or None.
        environment: AWS_* variables, which count where no folder is given (`featx run`).

    Raises:
        RunFailure: SecretNotFound or SecretIncomplete.
    """
    known_as = credentials(access, field, secrets, environment)
    signed_by = authority(access, secrets)
    trusted = ssl.create_default_context()
    if signed_by and signed_by.is_file():
        try:
            trusted.load_verify_locations(signed_by)
        except ssl.SSLError:
            message = f"{field}.secretRef.name: Secret {signed_by.parent.name} has no valid certificates in {AUTHORITY}"
            raise RunFailure(FailureClass.SECRET_INCOMPLETE, message) from None
    endpoint = urlsplit(access.endpoint or AWS_ENDPOINT)
    # A region given at once saves a request that some stores do not answer.
    region = access.region or ("us-east-1" if access.endpoint else None)
    http = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=5, read=60),
        retries=urllib3.Retry(total=1, backoff_factor=0.2),
        maxsize=32,
        ssl_context=trusted,
    )
    return Minio(
        endpoint.netloc,
        access_key=known_as.access_key if known_as else None,
        secret_key=known_as.secret_key if known_as else None,
        session_token=known_as.session_token if known_as else None,
        secure=endpoint.scheme == "https",
        region=region,
        http_client=http,
        credentials=ChainedProvider([EnvAWSProvider(), IamAwsProvider()]) if access.pod_identity else None,
    )


def asking(access: StoreAccess, field: str, bucket: str, patience: float, call: Callable[[], T]) -> T:
    """Returns what a call to a store returns, after waiting for the store if need be.

    Args:
        access: How the store is reached, for the message.
        field: Where in the spec that stands.
        bucket: The bucket that is asked.
        patience: Seconds to wait for a store that does not answer.
        call: The call; it may be made several times.

    Raises:
        RunFailure: StoreUnreachable (worth another attempt), BucketNotFound, AccessDenied or StoreError.
    """
    started, pause = time.monotonic(), FIRST_PAUSE
    while True:
        try:
            return call()
        except S3Error as error:
            if not (error.response is not None and error.response.status >= 500):
                raise _refused(error, field, bucket) from None
            problem = f"{error.code}: {error.message}"
        except (urllib3.exceptions.HTTPError, MinioException, OSError) as error:
            problem = " ".join(str(error).split())[-200:]
            if _is_untrusted(error):
                raise _untrusted(access, field, problem) from None
        except ValueError as error:
            if not access.pod_identity:
                raise
            message = f"{field}.podIdentity: no cloud identity is available to the pod ({error})"
            raise RunFailure(FailureClass.ACCESS_DENIED, message) from None
        if time.monotonic() - started + pause > patience:
            where = access.endpoint or AWS_ENDPOINT
            message = f"{field}.endpoint: {where} did not respond within {patience:.0f} s ({problem})"
            raise RunFailure(FailureClass.STORE_UNREACHABLE, message)
        time.sleep(pause)
        pause = min(pause * 2, 10)


def _is_untrusted(error: BaseException | None) -> bool:
    """Return whether a certificate was refused; urllib3 keeps the last try's error as the reason of its own."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        reason = getattr(error, "reason", None)
        error = reason if isinstance(reason, BaseException) else error.__cause__ or error.__context__
    return error is not None


def _untrusted(access: StoreAccess, field: str, problem: str) -> RunFailure:
    message = (
        f"{field}.endpoint: the certificate of {access.endpoint} is not signed by a trusted CA ({problem}); add the CA"
    )
    return RunFailure(
        FailureClass.UNTRUSTED_STORE, f"{message} as {AUTHORITY} to the Secret named in {field}.secretRef"
    )


def _refused(error: S3Error, field: str, bucket: str) -> RunFailure:
    code = error.code or ""
    if code == "NoSuchBucket":
        return RunFailure(FailureClass.BUCKET_NOT_FOUND, f"{field}: bucket {bucket} not found")
    if code in REFUSALS:
        return RunFailure(
            FailureClass.ACCESS_DENIED, f"{field}.secretRef: the store denied access to bucket {bucket} ({code})"
        )
    return RunFailure(FailureClass.STORE_ERROR, f"{field}: the store responded with {code}: {error.message}")
