"""How an S3 store is reached, written once and translated here for every client.

Each has its own words for an endpoint, a region and credentials: minio and obstore (`clients/s3.py`), S3A in executors
(`spark/settings.py`), and deltalake and pyarrow on the command line (`featx_retrieval`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from featx_api.executor_contract import CREDENTIALS_CLASS, CREDENTIALS_SETTING
from featx_api.failures import FailureClass
from featx_api.source import StoreAccess

from featx_job.environment import mounted
from featx_job.failures import RunFailure

AWS_ENDPOINT = "https://s3.amazonaws.com"
DEFAULT_REGION = "us-east-1"  # signed by clients of stores that have no regions
AUTHORITY = "ca.crt"  # as cert-manager calls it
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
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
    """

    endpoint: str | None = None
    region: str | None = None
    credentials: Credentials | None = None
    pod_identity: bool = False
    authority: Path | None = None

    @property
    def url(self) -> str:
        """URL of the store, for messages too."""
        return self.endpoint or AWS_ENDPOINT

    def for_object_store(self) -> dict[str, str]:
        """Options of Rust's object_store, as obstore and deltalake take them.

        Without credentials or a pod identity, requests are not signed.
        """
        region = self.region or DEFAULT_REGION
        options = {
            "aws_region": region,
            "aws_virtual_hosted_style_request": "false",
            # Always given, as object_store would take one from the environment.
            "aws_endpoint_url": (self.endpoint or f"https://s3.{region}.amazonaws.com").rstrip("/"),
        }
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
    if access.secret_ref is None:
        return None
    name = access.secret_ref.name
    if secrets is None:
        values = environment
        hint = "set these variables, or pass the directory of Secrets with --secrets"
    else:
        folder = mounted(secrets, name, f"{field}.secretRef.name")
        values = {path.name: path.read_text().strip() for path in folder.iterdir() if path.is_file()}
        hint = "add these keys to it"
    missing = [key for key in KEYS if not values.get(key)]
    if missing:
        message = f"{field}.secretRef.name: Secret {name} has no {', '.join(missing)}; {hint}"
        raise RunFailure(FailureClass.SECRET_INCOMPLETE, message)
    return _keys(values)


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
    return {f"fs.s3a.bucket.{bucket}.{name}": value for name, value in settings.items()}


def _region(access: StoreAccess) -> str | None:
    # A region given at once saves a request that some stores do not answer.
    return access.region or (DEFAULT_REGION if access.endpoint else None)


def _keys(values: Mapping[str, str]) -> Credentials:
    return Credentials(values[KEYS[0]], values.get(KEYS[1], ""), values.get(TOKEN) or None)
