"""The driver's S3 client; all calls share one back-off.

minio serves all calls but one. It spends 35 microseconds of Python on each key it lists, so long listings come from
obstore, which parses answers without the interpreter (docs/bench/stores.md): see `s3_pages`. It also takes any answer
without keys for a listing's end and hides S3's error codes: minio confirms ends and errors.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from xml.etree.ElementTree import ParseError  # which minio raises

import urllib3
from featx_api.failures import FailureClass
from featx_api.s3 import S3Source, StoreAccess
from minio import Minio
from minio.commonconfig import CopySource
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error
from minio.helpers import check_bucket_name
from minio.sse import SseCustomerKey
from obstore.store import S3Store

from featx_job.clients import s3_libraries, s3_pages
from featx_job.clients.retry import with_retry
from featx_job.clients.s3_errors import FailedRequest, is_untrusted, problem_of
from featx_job.clients.s3_pages import PAGE_KEYS, StoredObject, Unfaithful
from featx_job.clients.s3_settings import AUTHORITY, Connection, connection, customer_key
from featx_job.failures import RunFailure

T = TypeVar("T")

REFUSALS = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}
BUSY = {"InternalError", "OperationAborted", "RequestTimeout", "SlowDown", "TooManyRequests"}
BUSY_STATUSES = {408, 429}  # and all from 500
STATUSES = {401: "AccessDenied", 403: "AccessDenied", 404: "NoSuchBucket"}  # of an answer without a code
CODE = re.compile(r"[A-Za-z0-9.]{1,64}")
CODE_ELEMENT = re.compile(rb"<Code>([A-Za-z0-9.]{1,64})</Code>")
MISSING = {"NoSuchKey", "NoSuchObject"}
PART_BYTES = 1 << 20  # of a download


class FolderPage(NamedTuple):
    """The first page of a folder's listing, in key order.

    Attributes:
        objects: Objects directly in the folder.
        folders: Prefixes of its subfolders.
        more: Whether the folder has further pages.
    """

    objects: list[StoredObject]
    folders: list[str]
    more: bool


class TooLargeError(Exception):
    """An object has more bytes than the caller takes."""


class Bucket:
    """A bucket of an S3-compatible store. All methods wait for an unresponsive store, and raise RunFailure."""

    def __init__(
        self, reached: Connection, field: str, name: str, patience: float, customer_key: bytes | None = None
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            reached: The store.
            field: Path of the store in the spec, for errors.
            name: Name of the bucket.
            patience: Seconds to wait for an unresponsive store.
            customer_key: Key that the objects to read are encrypted with (SSE-C).

        Raises:
            RunFailure: SecretIncomplete, if the CA bundle holds no certificates; BucketNotFound, if no bucket can have
                the name.
        """
        called = s3_libraries.minio_name(name)
        try:
            check_bucket_name(called)
        except ValueError:
            message = f"{field}: {name} cannot be the name of a bucket; correct it"
            raise RunFailure(FailureClass.BUCKET_NOT_FOUND, message) from None
        self.name, self._reached, self._field, self._patience = name, reached, field, patience
        self._called = called  # in calls of minio
        self._key = SseCustomerKey(customer_key) if customer_key else None
        self._provider = s3_libraries.identity_provider(reached, field)
        self._http = s3_libraries.http_client(reached, field, self._provider, name)
        self._minio = s3_libraries.minio_client(reached, self._provider, self._http)
        self._lister: S3Store | None = None
        self._prober: Minio | None = None  # of keys one by one

    def stat(self, key: str) -> StoredObject | None:
        """An object's size and version, or None if it does not exist."""
        return self._existing(key, lambda: _from_minio(self._minio.stat_object(self._called, key, ssec=self._key)))

    def read(self, key: str) -> bytes | None:
        """An object's content, or None if it does not exist."""

        def get() -> bytes:
            with self._minio.get_object(self._called, key, ssec=self._key) as response:
                return bytes(response.read())

        return self._existing(key, get)

    def download(self, key: str, path: Path, most: int) -> bool:
        """Write an object to a file.

        Args:
            key: Its key.
            path: The file.
            most: Bytes that are written at most, whatever size the store reports.

        Returns:
            Whether the object exists.

        Raises:
            TooLargeError: It has more bytes.
        """

        def fetch() -> bool:
            path.parent.mkdir(parents=True, exist_ok=True)
            size = 0
            with self._minio.get_object(self._called, key, ssec=self._key) as response, path.open("wb") as file:
                for part in response.stream(PART_BYTES):
                    size += len(part)
                    if size > most:
                        raise TooLargeError
                    file.write(part)
            return True

        return self._existing(key, fetch) is not None

    def write(self, key: str, data: bytes) -> None:
        """Store an object, replacing an older one."""
        self._call(lambda: self._minio.put_object(self._called, key, io.BytesIO(data), len(data)))

    def create(self, key: str, data: bytes) -> bool:
        """Store an object unless the key exists; of several writers one succeeds.

        Returns:
            Whether this call has stored it.

        Raises:
            RunFailure: OutputNotWritable, if the store has no conditional writes, which S3 has since 2024.
        """
        return self._call(lambda: self._create(key, data))

    def _create(self, key: str, data: bytes) -> bool:
        # minio's put_object takes no condition, and obstore no key with an empty segment; a signed address takes both.
        address = self._minio.get_presigned_url(
            "PUT", self._called, key, timedelta(minutes=15), extra_query_params={**self._reached.all_headers}
        )
        # No retries: urllib3 would show the address, whose signature is usable like a key, in its log and errors.
        answer = self._http.request("PUT", address, body=data, headers={"If-None-Match": "*"}, retries=False)
        if answer.status == 200:
            return True
        if answer.status in (409, 412):  # ConditionalRequestConflict, PreconditionFailed
            return False
        if answer.status == 501:
            message = f"{self._field}: the store does not support conditional writes, which a Delta table's log needs"
            raise RunFailure(FailureClass.OUTPUT_NOT_WRITABLE, f"{message}: use spec.output.format parquet")
        code = CODE_ELEMENT.search(answer.data)
        raise FailedRequest(answer.status, code[1].decode() if code else None)

    def move(self, source: str, target: str) -> None:
        """Copy an object inside the store and remove the old one; do nothing if it was moved before."""

        def copy() -> None:
            try:
                with self._coded(source):
                    self._minio.copy_object(self._called, target, CopySource(self._called, source))
            except S3Error as error:
                if error.code not in MISSING:
                    raise
                with self._coded(target):
                    self._minio.stat_object(self._called, target)

        self._call(copy)
        self.remove([source])

    def remove(self, keys: list[str]) -> None:
        """Remove objects; missing ones do not matter."""

        def remove() -> None:
            for error in self._minio.remove_objects(self._called, [DeleteObject(key) for key in keys]):
                if error.code not in MISSING:
                    raise FailedRequest(200, error.code)

        self._call(remove)

    def folder(self, prefix: str) -> FolderPage:
        """The first page of what is directly below a prefix."""

        def listed() -> FolderPage:
            entries = list(islice(self._minio.list_objects(self._called, prefix), PAGE_KEYS))
            objects = [_from_minio(entry) for entry in entries if entry.size is not None]
            folders = [str(entry.object_name) for entry in entries if entry.size is None]
            return FolderPage(objects, folders, len(entries) == PAGE_KEYS)

        return self._call(listed)

    def below(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        """Yield the objects below a prefix in the store's order, which is that of their keys' bytes as S3 specifies it.

        Args:
            prefix: Start of all keys, whether or not it ends with a slash.
            after: Only keys after this one are listed.
        """
        for page in self.pages(prefix, after):
            yield from page

    def pages(self, prefix: str, after: str = "") -> Iterator[list[StoredObject]]:
        """Yield what `below` does in the pages in which the store sends it; none is empty."""
        while True:
            with suppress(Unfaithful):
                for page in self._fast(prefix, after):
                    yield page
                    after = page[-1].key
            page = self._call(partial(self._exact, prefix, after))
            if page:
                yield page
                after = page[-1].key
            if len(page) < PAGE_KEYS:
                return

    def next_key(self, prefix: str, after: str) -> str | None:
        """The first key below a prefix after a text, which need not be a key; None if there is none. Costs little."""
        if self._prober is None:
            http = s3_libraries.http_client(self._reached, self._field, self._provider, self.name, page_keys=1)
            self._prober = s3_libraries.minio_client(self._reached, self._provider, http)
        found = partial(self._prober.list_objects, self._called, prefix, recursive=True, start_after=after)
        return self._call(lambda: next((str(entry.object_name) for entry in found()), None))

    def _exact(self, prefix: str, after: str) -> list[StoredObject]:
        entries = self._minio.list_objects(self._called, prefix, recursive=True, start_after=after or None)
        return [_from_minio(entry) for entry in islice(entries, PAGE_KEYS)]

    def _fast(self, prefix: str, after: str) -> Iterator[list[StoredObject]]:
        if self._reached.region is None or self._reached.headers:
            raise Unfaithful  # obstore neither finds a bucket's region nor sends headers
        return s3_pages.faithful(self._object_store(), prefix, after)

    def _object_store(self) -> S3Store:
        if self._lister is None:
            self._lister = s3_libraries.object_store_client(self._reached, self._provider, self.name)
        return self._lister

    @contextmanager
    def _coded(self, key: str) -> Iterator[None]:
        """Replace an error of HEAD, which has no body and so no code, by that of GET: is it the key or the bucket?"""
        try:
            yield
        except S3Error as error:
            if not error.response.data:
                self._minio.get_object(self._called, key, ssec=self._key).close()
            raise

    def _existing(self, key: str, call: Callable[[], T]) -> T | None:
        if not {".", ".."}.isdisjoint(key.split("/")):
            return None  # minio refuses such keys, and so does Hadoop's S3A

        def existing() -> T | None:
            try:
                with self._coded(key):
                    return call()
            except S3Error as error:
                if error.code in MISSING:
                    return None
                raise

        return self._call(existing)

    def _call(self, call: Callable[[], T]) -> T:
        return with_retry(call, self._explain, self._patience)

    def _explain(self, error: Exception) -> RunFailure | None:
        """Map what the libraries raise, by class and by S3's codes."""
        match error:
            case S3Error():
                return self._failed(error.response.status, error.code)
            case FailedRequest():
                return self._failed(error.status, error.code)
            case urllib3.exceptions.HTTPError() | OSError():
                problem = problem_of(error)
                return self._untrusted(problem) if is_untrusted(error) else self._unreachable(problem)
            case MinioException():  # its text quotes what a server responded, which need not be a store
                return self._unreachable(type(error).__name__)
            case ParseError() | ValueError():  # an answer that is cut, or not a store's
                message = f"{self._field}.endpoint: {self._reached.url} does not respond as an S3 store does"
                return RunFailure(FailureClass.STORE_UNREACHABLE, message)
        return None

    def _failed(self, status: int, code: str | None) -> RunFailure:
        problem = _word(code) if code else STATUSES.get(status, f"status {status}")
        if status >= 500 or status in BUSY_STATUSES or code in BUSY:
            return self._unreachable(problem)
        return self._refused(problem)

    def _unreachable(self, problem: str) -> RunFailure:
        message = f"{self._field}.endpoint: {self._reached.url} did not respond within {self._patience:.0f} s"
        return RunFailure(FailureClass.STORE_UNREACHABLE, f"{message} ({problem})")

    def _untrusted(self, problem: str) -> RunFailure:
        message = f"{self._field}.endpoint: the certificate of {self._reached.url} is not signed by a trusted CA"
        hint = f"add the CA as {AUTHORITY} to the Secret named in {self._field}.secretRef"
        return RunFailure(FailureClass.UNTRUSTED_STORE, f"{message} ({problem}); {hint}")

    def _refused(self, code: str) -> RunFailure:
        if code == "NoSuchBucket":
            return RunFailure(FailureClass.BUCKET_NOT_FOUND, f"{self._field}: bucket {self.name} not found")
        if code in REFUSALS:
            denied = f"{self._field}.secretRef: the store denied access to bucket {self.name} ({code})"
            return RunFailure(FailureClass.ACCESS_DENIED, denied)
        return RunFailure(FailureClass.STORE_ERROR, f"{self._field}: the store responded with {code}")


def _word(code: str) -> str:
    """Return an error code, unless what responded is no store and sent something else."""
    return code if CODE.fullmatch(code) else "an unknown error"


def open_bucket(access: StoreAccess, field: str, name: str, secrets: Path | None, patience: float) -> Bucket:
    """The bucket of a spec's store, with mounted credentials.

    Args:
        access: Endpoint, region and identity in the spec.
        field: Path of `access` in the spec, for errors.
        name: Name of the bucket.
        secrets: Folder with one subfolder per Secret; without it AWS_* variables are used.
        patience: Seconds to wait for an unresponsive store.

    Raises:
        RunFailure: SecretNotFound or SecretIncomplete.
    """
    return Bucket(connection(access, field, secrets, os.environ), field, name, patience)


def open_source_bucket(source: S3Source, field: str, secrets: Path | None, patience: float) -> Bucket:
    """The bucket of a source, with the key of its objects if they have one. Takes the same as `open_bucket`."""
    reached, key = connection(source, field, secrets, os.environ), customer_key(source, field, secrets, os.environ)
    return Bucket(reached, field, source.bucket, patience, key)


def _from_minio(entry: Any) -> StoredObject:
    changed = entry.last_modified.isoformat() if entry.last_modified else ""
    return StoredObject(str(entry.object_name), entry.size or 0, entry.etag or changed)
