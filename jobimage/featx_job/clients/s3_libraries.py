"""The libraries that talk to S3, opened for one connection: the same identity, CA bundle and time limits for both."""

from __future__ import annotations

import logging
import ssl
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit, urlunsplit

import urllib3
from featx_api.failures import FailureClass
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.credentials.providers import ChainedProvider, EnvAWSProvider, IamAwsProvider, Provider, StaticProvider
from minio.helpers import DictType
from minio.signer import presign_v4, sign_v4_s3
from obstore.store import S3Store

from featx_job.clients.s3_settings import AUTHORITY, Connection
from featx_job.failures import RunFailure

CONNECT_SECONDS, READ_SECONDS = 5, 60
ALIAS = "-s3alias"  # end of the aliases of access points
MINIO_PAGE = "max-keys=1000"  # what minio asks for
COPY_SOURCE = "x-amz-copy-source"
AMZ_DATE = "%Y%m%dT%H%M%SZ"
# Parameters that presigning adds; a session token is part of what is signed, and stays.
PRESIGNED = tuple(
    f"X-Amz-{name}=" for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
)

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


class Requests(urllib3.PoolManager):
    """Connections that send what minio can't: headers on each request, an access point's alias, small pages of keys.

    minio takes no headers for some calls, no alias as the name of a bucket, and no size of a listing's page. What is
    changed here is signed again.
    """

    def __init__(
        self, reached: Connection, provider: Provider | None, bucket: str, page_keys: int = 1000, **options: Any
    ) -> None:
        """Take a connection, who signs, the bucket, the size of a listing's page, and what urllib3 takes."""
        super().__init__(**options)
        self._page = f"max-keys={page_keys}"
        self._further, self._provider, self._bucket = reached.all_headers, provider, bucket

    def urlopen(  # type: ignore[override] # as urllib3 does
        self, method: str, url: str, redirect: bool = True, **options: Any
    ) -> urllib3.BaseHTTPResponse:
        """Send a request of minio."""
        headers = dict(options.pop("headers", None) or {})
        address = self._addressed(urlsplit(url))
        presigned = "X-Amz-Signature=" in address.query
        further = {} if presigned else self._further  # `create` has them in the query
        if further or address != urlsplit(url):
            headers |= further | ({"Host": address.netloc} if "Host" in headers else {})
            if copied := headers.get(COPY_SOURCE):
                headers[COPY_SOURCE] = copied.replace(minio_name(self._bucket), self._bucket, 1)
            address = self._signed_again(method, address, headers)
        return super().urlopen(method, urlunsplit(address), redirect, headers=headers, **options)

    def _addressed(self, address: SplitResult) -> SplitResult:
        """The address with the size of a page, and the bucket's own name in place of the one that minio accepts."""
        address = address._replace(query=address.query.replace(MINIO_PAGE, self._page))
        called = minio_name(self._bucket)
        if called == self._bucket:
            return address
        if address.netloc.startswith(f"{called}."):
            return address._replace(netloc=address.netloc.replace(called, self._bucket, 1))
        return address._replace(path=address.path.replace(called, self._bucket, 1))

    def _signed_again(self, method: str, address: SplitResult, headers: dict[str, str]) -> SplitResult:
        """Sign in place, as minio did, in the region that it signed for; anonymous requests stay so."""
        query = dict(parse_qsl(address.query))
        if self._provider is None:
            return address
        known = self._provider.retrieve()
        if "X-Amz-Signature" in query:
            kept = [part for part in address.query.split("&") if not part.startswith(PRESIGNED)]
            return presign_v4(
                method=method,
                url=address._replace(query="&".join(kept)),
                region=query["X-Amz-Credential"].split("/")[-3],
                credentials=known,
                date=datetime.strptime(query["X-Amz-Date"], AMZ_DATE).replace(tzinfo=UTC),
                expires=int(query["X-Amz-Expires"]),
            )
        signed: DictType = dict(headers)
        sign_v4_s3(
            method=method,
            url=address,
            region=headers["Authorization"].split(",")[0].split("/")[-3],
            headers=signed,
            credentials=known,
            content_sha256=headers["x-amz-content-sha256"],
            date=datetime.strptime(headers["x-amz-date"], AMZ_DATE).replace(tzinfo=UTC),
        )
        headers["Authorization"] = str(signed["Authorization"])
        return address


def minio_name(bucket: str) -> str:
    """The name by which minio is asked for a bucket: it refuses aliases of access points."""
    return bucket.removesuffix(ALIAS)


def http_client(
    reached: Connection, field: str, provider: Provider | None, bucket: str, page_keys: int = 1000
) -> Requests:
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
    return Requests(
        reached,
        provider,
        bucket,
        page_keys,
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        # A store does not send its clients elsewhere: what does is none, and may point into the cluster.
        retries=urllib3.Retry(
            total=1, redirect=0, raise_on_redirect=False, respect_retry_after_header=False, backoff_factor=0.2
        ),
        maxsize=32,
        ssl_context=trusted,
    )


def minio_client(reached: Connection, provider: Provider | None, http: Requests) -> Minio:
    """The client of all calls but long listings of a bucket."""
    endpoint = urlsplit(reached.url)
    client = Minio(
        endpoint.netloc,
        secure=endpoint.scheme == "https",
        region=reached.region,
        http_client=http,
        credentials=provider,
    )
    if reached.virtual_host:
        client.enable_virtual_style_endpoint()  # type: ignore[no-untyped-call] # minio's
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
