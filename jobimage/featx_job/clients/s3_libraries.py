"""The libraries that talk to S3, opened for one connection: the same identity, CA bundle and time limits for both."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Any
from urllib.parse import SplitResult, urlsplit

import urllib3
from featx_api.failures import FailureClass
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.credentials.providers import ChainedProvider, EnvAWSProvider, IamAwsProvider, Provider, StaticProvider
from minio.helpers import BaseURL
from obstore.store import S3Store

from featx_job.clients.s3_settings import AUTHORITY, Connection
from featx_job.failures import RunFailure

CONNECT_SECONDS, READ_SECONDS = 5, 60
ALIAS = "-s3alias"  # end of the aliases of access points

logging.getLogger("urllib3").setLevel(logging.INFO)  # at DEBUG it logs addresses, of which `create` signs some


class PodIdentity(Provider):
    """The chain of cloud identities that a pod may have."""

    def __init__(self, field: str) -> None:
        """Look for nothing yet; `field` is the path of the store in the spec."""
        self._field, self._chain = field, ChainedProvider([EnvAWSProvider(), IamAwsProvider()])

    def retrieve(self) -> Credentials:
        """The credentials. Raises RunFailure."""
        try:
            return self._chain.retrieve()
        except ValueError:
            message = f"{self._field}.podIdentity: no cloud identity is available to the pod"
            raise RunFailure(FailureClass.ACCESS_DENIED, message) from None


def identity_provider(reached: Connection, field: str) -> Provider | None:
    """The keys or the chain of cloud identities that authenticate; None for anonymous access."""
    if reached.pod_identity:
        return PodIdentity(field)
    return StaticProvider(*reached.credentials) if reached.credentials else None


def http_client(reached: Connection, field: str) -> urllib3.PoolManager:
    """Connections whose calls end in seconds, so that waiting stays with `with_retry`.

    A redirect is a refusal: followed, it would turn a PUT into a GET, and send session tokens to another host.
    """
    trusted = ssl.create_default_context()
    if reached.authority and reached.authority.is_file():
        try:
            trusted.load_verify_locations(reached.authority)
        except ssl.SSLError:
            secret = reached.authority.parent.name
            message = f"{field}.secretRef.name: Secret {secret} has no valid certificates in {AUTHORITY}"
            raise RunFailure(FailureClass.SECRET_INCOMPLETE, message) from None
    return urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        # A store does not send its clients elsewhere: what does is none, and may point into the cluster.
        retries=urllib3.Retry(
            total=1, redirect=0, raise_on_redirect=False, respect_retry_after_header=False, backoff_factor=0.2
        ),
        maxsize=32,
        ssl_context=trusted,
    )


class Client(Minio):
    """minio with headers that each request has and signs; its own methods take some, each in another way."""

    def __init__(self, headers: Mapping[str, str], *args: Any, **named: Any) -> None:
        """Take further headers, and what minio takes."""
        super().__init__(*args, **named)
        self._headers = headers

    def _build_headers(self, host: str, headers: Any = None, body: Any = None, creds: Any = None) -> Any:
        return super()._build_headers(host, {**(headers or {}), **self._headers}, body, creds)


class AliasUrl(BaseURL):
    """Addresses of an access point by its alias, which minio refuses as the name of a bucket."""

    def build(self, *, bucket_name: str | None = None, **named: Any) -> SplitResult:
        """Build an address, with the alias in place of the name that minio accepts."""
        return super().build(bucket_name=bucket_name and f"{bucket_name}{ALIAS}", **named)


def minio_client(reached: Connection, provider: Provider | None, http: urllib3.PoolManager, bucket: str) -> Minio:
    """The client of all calls but long listings of a bucket."""
    endpoint = urlsplit(reached.url)
    secure = endpoint.scheme == "https"
    client = Client(
        reached.all_headers,
        endpoint.netloc,
        secure=secure,
        region=reached.region,
        http_client=http,
        credentials=provider,
    )
    if bucket.endswith(ALIAS):
        client._base_url = AliasUrl(f"{endpoint.scheme}://{endpoint.netloc}", reached.region)
    if reached.virtual_host:
        client._base_url.virtual_style_flag = True
    return client


def object_store_client(reached: Connection, provider: Provider | None, bucket: str) -> S3Store:
    """The client of long listings."""
    options: dict[str, Any] = {"timeout": timedelta(seconds=READ_SECONDS)}
    options["connect_timeout"] = timedelta(seconds=CONNECT_SECONDS)
    options["allow_http"] = True
    if reached.authority and reached.authority.is_file():
        options["root_certificate"] = reached.authority.read_bytes()

    def identity() -> Any:
        assert provider is not None
        known = provider.retrieve()
        expires = known.expiration.replace(tzinfo=UTC) if known.expiration else None
        keys = {"access_key_id": known.access_key, "secret_access_key": known.secret_key}
        return {**keys, "token": known.session_token, "expires_at": expires}

    return S3Store(
        bucket,
        config=reached.for_object_store(bucket),  # type: ignore[arg-type] # the keys are object_store's
        client_options=options,  # type: ignore[arg-type]
        retry_config={"max_retries": 1, "retry_timeout": timedelta(seconds=READ_SECONDS)},
        credential_provider=identity if provider else None,  # the same chain as minio's
    )
