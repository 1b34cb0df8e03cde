"""How an S3 store is reached, written once and translated here for every client.

Each has its own words for an endpoint, a region and credentials: minio and obstore (`clients/s3.py`), S3A in executors
(`spark/settings.py`), and deltalake and pyarrow on the command line (`featx_retrieval`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from featx_api.executor_contract import (
    CREDENTIALS_CLASS,
    CREDENTIALS_SETTING,
    CUSTOMER_KEY_SETTING,
    HEADER_SETTING,
)
from featx_api.failures import FailureClass
from featx_api.s3 import S3Source, StoreAccess

from featx_job.environment import mounted
from featx_job.failures import RunFailure

AWS_ENDPOINT = "https://s3.amazonaws.com"
DEFAULT_REGION = "us-east-1"  # signed by clients of stores that have no regions
AUTHORITY = "ca.crt"  # as cert-manager calls it
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
CUSTOMER_KEY = "SSE_CUSTOMER_KEY"
CUSTOMER_KEY_BYTES = 32
REQUESTER_PAYS = "x-amz-request-payer"
TOKEN = "AWS_SESSION_TOKEN"  # noqa: S105 - a variable's name


class Credentials(NamedTuple):
    """Keys that authenticate a client to a store."""

    access_key: str
    secret_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        """Show no secret, wherever this may be printed."""
        return "Credentials(…)"


@dataclass(frozen=True)
class Connection:
    """An S3 store with everything needed to reach it from this process.

    Attributes:
        endpoint: URL of the store; None for AWS.
        region: Region to sign for; None if AWS has to be asked for it.
        credentials: Static keys; None for anonymous access or a pod identity.
        pod_identity: Whether the pod's cloud identity (IRSA or node role) authenticates the client.
        authority: CA bundle that the store's certificate is verified with, next to the system's.
        virtual_host: Whether requests name the bucket in the host instead of the path.
        requester_pays: Whether the requester pays.
        headers: More headers of all requests.
    """

    endpoint: str | None = None
    region: str | None = None
    credentials: Credentials | None = None
    pod_identity: bool = False
    authority: Path | None = None
    virtual_host: bool = False
    requester_pays: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def all_headers(self) -> dict[str, str]:
        """Headers that are part of each request and its signature."""
        return dict(self.headers) | ({REQUESTER_PAYS: "requester"} if self.requester_pays else {})

    @property
    def url(self) -> str:
        """URL of the store, for messages too."""
        return self.endpoint or AWS_ENDPOINT

    def for_object_store(self, bucket: str = "") -> dict[str, str]:
        """Options of Rust's object_store, as obstore and deltalake take them, which know no further headers.

        Without credentials or a pod identity, requests are not signed.

        Args:
            bucket: Name of the bucket, which is part of a virtual host.
        """
        region = self.region or DEFAULT_REGION
        address = (self.endpoint or f"https://s3.{region}.amazonaws.com").rstrip("/")
        if self.virtual_host:
            address = address.replace("://", f"://{bucket}.", 1)
        options = {
            "aws_region": region,
            "aws_virtual_hosted_style_request": str(self.virtual_host).lower(),
            # Always given, as object_store would take one from the environment.
            "aws_endpoint_url": address,
        }
        options |= {"aws_request_payer": "true"} if self.requester_pays else {}
        if self.credentials:
            options |= {
                "aws_access_key_id": self.credentials.access_key,
                "aws_secret_access_key": self.credentials.secret_key,
            }
            options |= {"aws_session_token": self.credentials.session_token} if self.credentials.session_token else {}
        unsigned = not self.credentials and not self.pod_identity
        return options | {"aws_skip_signature": str(unsigned).lower(), "aws_allow_http": "true"}

    def for_arrow(self) -> dict[str, Any]:
        """Arguments of pyarrow's S3FileSystem."""
        arguments: dict[str, Any] = {"region": self.region or DEFAULT_REGION}
        if self.endpoint:
            parts = urlsplit(self.endpoint)
            arguments |= {"endpoint_override": parts.netloc, "scheme": parts.scheme}
        if self.credentials:
            names = ("access_key", "secret_key", "session_token")
            arguments |= dict(zip(names, self.credentials, strict=True))
        elif not self.pod_identity:
            arguments["anonymous"] = True
        return arguments


def connection(access: StoreAccess, field: str, secrets: Path | None, environment: Mapping[str, str]) -> Connection:
    """The connection to a store of a spec.

    Args:
        access: Endpoint, region and identity in the spec.
        field: Path of `access` in the spec, for errors.
        secrets: Folder with one subfolder per Secret, or None.
        environment: AWS_* variables, used if there is no such folder (`featx run`).

    Raises:
        RunFailure: SecretNotFound or SecretIncomplete.
    """
    return Connection(
        endpoint=access.endpoint,
        region=_region(access),
        credentials=credentials(access, field, secrets, environment),
        pod_identity=access.pod_identity,
        authority=authority(access, secrets),
        virtual_host=access.addressing == "virtualHost",
        requester_pays=access.requester_pays,
        headers=access.headers if isinstance(access, S3Source) else {},
    )


def from_environment(endpoint: str | None, environment: Mapping[str, str]) -> Connection:
    """The connection that AWS_* variables describe, anonymous without keys.

    Args:
        endpoint: URL of the store; without it AWS_ENDPOINT_URL, or AWS itself.
        environment: The variables.
    """
    server = endpoint or environment.get("AWS_ENDPOINT_URL") or None
    if server and "://" not in server:
        server = f"https://{server}"
    return Connection(
        endpoint=server,
        region=environment.get("AWS_REGION") or DEFAULT_REGION,
        credentials=_keys(environment) if environment.get(KEYS[0]) else None,
    )


def credentials(
    access: StoreAccess, field: str, secrets: Path | None, environment: Mapping[str, str]
) -> Credentials | None:
    """A store's static keys, or None if it is read anonymously or by a pod identity. Takes the same as `connection`."""
    return _keys(_values(access, KEYS, field, secrets, environment)) if access.secret_ref else None


def customer_key(source: S3Source, field: str, secrets: Path | None, environment: Mapping[str, str]) -> bytes | None:
    """The key that a source's objects are encrypted with (SSE-C), or None. Takes the same as `connection`.

    Raises:
        RunFailure: SecretNotFound or SecretIncomplete.
    """
    if not source.sse_customer_key or source.secret_ref is None:
        return None
    text = _values(source, (CUSTOMER_KEY,), field, secrets, environment)[CUSTOMER_KEY]
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != CUSTOMER_KEY_BYTES:
        message = f"{field}.secretRef.name: {CUSTOMER_KEY} of Secret {source.secret_ref.name} must be base64 of "
        raise RunFailure(FailureClass.SECRET_INCOMPLETE, f"{message}{CUSTOMER_KEY_BYTES} bytes")
    return key


def _values(
    access: StoreAccess, keys: tuple[str, ...], field: str, secrets: Path | None, environment: Mapping[str, str]
) -> Mapping[str, str]:
    """The values of a store's Secret, which include some keys."""
    assert access.secret_ref is not None
    name = access.secret_ref.name
    if secrets is None:
        values = environment
        hint = "set these variables, or pass the directory of Secrets with --secrets"
    else:
        folder = mounted(secrets, name, f"{field}.secretRef.name")
        values = {path.name: path.read_text().strip() for path in folder.iterdir() if path.is_file()}
        hint = "add these keys to it"
    missing = [key for key in keys if not values.get(key)]
    if missing:
        message = f"{field}.secretRef.name: Secret {name} has no {', '.join(missing)}; {hint}"
        raise RunFailure(FailureClass.SECRET_INCOMPLETE, message)
    return values


def authority(access: StoreAccess, secrets: Path | None) -> Path | None:
    """The CA bundle in a store's Secret, which need not exist; None without a Secret.

    Args:
        access: Endpoint, region and identity in the spec.
        secrets: Folder with one subfolder per Secret, or None.
    """
    return secrets / access.secret_ref.name / AUTHORITY if secrets and access.secret_ref else None


def for_s3a(bucket: str, access: StoreAccess, secrets: Path | None) -> dict[str, str]:
    """Settings of Hadoop's S3A for one bucket, without secrets: executors read those from mounted files.

    Args:
        bucket: Name of the bucket.
        access: Endpoint, region and identity in the spec.
        secrets: Folder with one subfolder per Secret, or None if AWS_* variables hold the keys.
    """
    settings = {}
    if access.endpoint:
        settings["endpoint"] = access.endpoint
        settings["connection.ssl.enabled"] = str(access.endpoint.startswith("https")).lower()
    if region := _region(access):
        settings["endpoint.region"] = region
    if access.pod_identity:
        provider = "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider"
    elif access.secret_ref is None:
        provider = "org.apache.hadoop.fs.s3a.AnonymousAWSCredentialsProvider"
    elif secrets is None:
        provider = "software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider"
    else:
        provider = CREDENTIALS_CLASS
        settings[CREDENTIALS_SETTING] = str(secrets / access.secret_ref.name)
    settings["aws.credentials.provider"] = provider
    if access.addressing == "virtualHost":
        settings["path.style.access"] = "false"
    if access.requester_pays:
        settings["requester.pays.enabled"] = "true"
    if isinstance(access, S3Source):
        settings |= {f"{HEADER_SETTING}{name}": value for name, value in access.headers.items()}
        settings |= {CUSTOMER_KEY_SETTING: "true"} if access.sse_customer_key else {}
    return {f"fs.s3a.bucket.{bucket}.{name}": value for name, value in settings.items()}


def _region(access: StoreAccess) -> str | None:
    # A region given at once saves a request that some stores do not answer.
    return access.region or (DEFAULT_REGION if access.endpoint else None)


def _keys(values: Mapping[str, str]) -> Credentials:
    return Credentials(values[KEYS[0]], values.get(KEYS[1], ""), values.get(TOKEN) or None)
