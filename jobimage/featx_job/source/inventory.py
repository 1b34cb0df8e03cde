"""`spec.source.s3.inventory`: the objects of a bucket as an S3 Inventory lists them, which a store writes every day.

A manifest names data files, each with its MD5. A file is copied to the driver's disk and checked before a row of it
counts, and the next is fetched meanwhile. Objects come in the order of the files: an inventory is not sorted.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote_to_bytes

import pyarrow
from featx_api.failures import FailureClass
from featx_api.text import shortened
from pyarrow import compute
from pydantic import BaseModel, Field, ValidationError

from featx_job.clients.s3 import Bucket, TooLargeError
from featx_job.failures import RunFailure
from featx_job.source import keys, list_files
from featx_job.source.list_files import Format, UnreadableList
from featx_job.source.listed import as_bytes, batch_of, sizes, text

FIELD = "spec.source.s3.inventory"
MANIFEST = "manifest.json"
MOST_MANIFEST_BYTES = 64 << 20
MOST_FILE_BYTES = 16 << 30  # of a data file; two are on the driver's disk
FORMATS: dict[str, Format] = {"CSV": "csv", "ORC": "orc", "Parquet": "parquet"}
_DATED = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\dZ/manifest\.json")
_GZIP = b"\x1f\x8b"
_QUOTED = "[%+]"  # what URL encoding leaves of other characters
_ESCAPED = r"[\x00-\x1f\x7f]|\\x[0-9A-Fa-f]{2}"  # what `keys.from_bytes` changes in UTF-8


class DataFile(BaseModel):
    """A file of an inventory: its key in the manifest's bucket, its size in bytes, and its digest."""

    key: str
    size: Annotated[int, Field(ge=0, le=MOST_FILE_BYTES)]
    md5: Annotated[str, Field(alias="MD5checksum", pattern="^[0-9A-Fa-f]{32}$")]


class Manifest(BaseModel):
    """An inventory's manifest.json, as far as it is used."""

    source_bucket: Annotated[str, Field(alias="sourceBucket")]
    file_format: Annotated[str, Field(alias="fileFormat")]
    file_schema: Annotated[str, Field(alias="fileSchema")]
    files: list[DataFile]

    @property
    def header(self) -> list[str]:
        """Names of the columns of CSV files, which have no line of names."""
        return [name.strip() for name in self.file_schema.split(",")]


class Inventory:
    """An inventory in a bucket."""

    def __init__(self, bucket: Bucket, uri: str, work: Path) -> None:
        """Use an inventory; nothing is read yet.

        Args:
            bucket: Where it is, which need not be the bucket that it lists.
            uri: Address of its manifest, or of the folder of dated ones.
            work: Folder for copies of its files.
        """
        self._bucket, self._uri, self._work = bucket, uri, work

    def manifest(self) -> str:
        """Return the address of its manifest: of those of a folder, the newest.

        Raises:
            RunFailure: SourceNotFound, if there is none; or why the store fails.
        """
        key = self._uri.split("/", 3)[3]
        if not key.endswith(f"/{MANIFEST}"):
            key = self._newest(f"{key.rstrip('/')}/")
        return f"s3://{self._bucket.name}/{key}"

    def batches(self, source_bucket: str, prefix: str, address: str) -> Iterator[pyarrow.RecordBatch]:
        """Yield the newest versions of all objects below a prefix, as batches of `listed.COLUMNS`.

        Args:
            source_bucket: The bucket that it must list.
            prefix: Start of the names of all objects.
            address: Of the manifest.

        Raises:
            RunFailure: SourceNotFound; SourceNotSupported, if it is no such inventory; or why the store fails.
        """
        with tempfile.TemporaryDirectory(dir=self._work, prefix="inventory-") as folder:
            manifest = self._manifest(Path(folder), source_bucket, address)
            format_ = FORMATS[manifest.file_format]
            for file, path in self._copies(manifest.files, Path(folder)):
                try:
                    for rows in _rows(path, format_, manifest):
                        yield objects_of(rows, prefix.encode(), encoded=format_ == "csv")
                except UnreadableList as problem:
                    raise self._unsupported(f"{self._named(file)} {problem}; use a later inventory") from None

    def _manifest(self, folder: Path, source_bucket: str, address: str) -> Manifest:
        path = folder / MANIFEST
        try:
            if not self._bucket.download(address.split("/", 3)[3], path, MOST_MANIFEST_BYTES):
                raise self._not_found(f"{address} not found; correct the address")
            manifest = Manifest.model_validate_json(path.read_bytes())
        except TooLargeError:
            raise self._unsupported(f"{address} has more than {MOST_MANIFEST_BYTES >> 20} MiB") from None
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"])) or "its JSON"
            message = (
                f"{address} is not the manifest of an S3 Inventory (see {shortened(where, 64)}); correct the address"
            )
            raise self._unsupported(message) from None
        if manifest.source_bucket != source_bucket:
            listed = shortened(ascii(manifest.source_bucket), 64)
            message = f"{address} lists bucket {listed}, not {source_bucket}; correct it or spec.source.s3.bucket"
            raise self._unsupported(message)
        if manifest.file_format not in FORMATS:
            named = shortened(ascii(manifest.file_format), 64)
            raise self._unsupported(f"{address} has files of format {named}; configure one of {', '.join(FORMATS)}")
        return manifest

    def _newest(self, folder: str) -> str:
        """Return the key of the last dated manifest, which a store writes when all data files are complete."""
        dated = takewhile(lambda stored: stored.key[len(folder) :] < ":", self._bucket.below(folder))  # digits first
        found = [stored.key for stored in dated if _DATED.fullmatch(stored.key[len(folder) :])]
        if not found:
            message = f"{self._uri} has no complete inventory (YYYY-MM-DDTHH-MMZ/{MANIFEST}); correct the address"
            raise self._not_found(f"{message}, or wait for the first one")
        return found[-1]

    def _copies(self, files: list[DataFile], folder: Path) -> Iterator[tuple[DataFile, Path]]:
        """Yield each file with the path of its copy, which is removed after use, while the next one is fetched."""
        with ThreadPoolExecutor(1) as pool:
            paths = [folder / str(number % 2) for number in range(len(files))]
            fetches = zip(files, paths, strict=True)
            ahead = [pool.submit(self._fetch, *pair) for pair in [next(fetches, None)] if pair]
            for file, path in zip(files, paths, strict=True):
                ahead.pop().result()
                if pair := next(fetches, None):
                    ahead.append(pool.submit(self._fetch, *pair))
                yield file, path
                path.unlink()

    def _fetch(self, file: DataFile, path: Path) -> None:
        try:
            if not self._bucket.download(file.key, path, file.size):
                raise self._not_found(f"{self._named(file)} not found; use a later inventory")
        except TooLargeError:
            raise self._other_content(file) from None
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, partial(hashlib.md5, usedforsecurity=False)).hexdigest()
        if digest != file.md5.lower():
            raise self._other_content(file)

    def _other_content(self, file: DataFile) -> RunFailure:
        return self._unsupported(
            f"{self._named(file)} is not the file of which the manifest has the MD5; use a later one"
        )

    def _named(self, file: DataFile) -> str:
        return f"data file {shortened(ascii(file.key), 256)} of {self._uri}"

    def _not_found(self, text: str) -> RunFailure:
        return RunFailure(FailureClass.SOURCE_NOT_FOUND, f"{FIELD}: {text}")

    def _unsupported(self, text: str) -> RunFailure:
        return RunFailure(FailureClass.SOURCE_NOT_SUPPORTED, f"{FIELD}: {text}")


def _rows(path: Path, format_: Format, manifest: Manifest) -> Iterator[pyarrow.RecordBatch]:
    if format_ != "csv":
        return list_files.rows(path, format_)
    with path.open("rb") as stream:
        compressed = stream.read(len(_GZIP)) == _GZIP
    return list_files.rows(path, format_, compression="gzip" if compressed else None, header=manifest.header)


def objects_of(rows: pyarrow.RecordBatch, prefix: bytes, *, encoded: bool) -> pyarrow.RecordBatch:
    """Return the objects among an inventory's rows, as a batch of `listed.COLUMNS`.

    Left out are older versions, delete markers, markers of folders, and names without the prefix.

    Args:
        rows: As `list_files.rows` yields them.
        prefix: Start of the names of all objects.
        encoded: Whether names are URL-encoded.

    Raises:
        UnreadableList: A column has another type than an inventory's.
    """
    for column, value in (("islatest", True), ("isdeletemarker", False)):
        if column in rows.schema.names:
            rows = rows.filter(_flag(rows, column, default=value, wanted=value))
    names = as_bytes(rows, "key")
    if encoded:
        names = _changed(names, _QUOTED, lambda name: unquote_to_bytes(name.replace(b"+", b" ")))
    wanted = compute.starts_with(names, prefix).fill_null(False)
    if "size" in rows.schema.names:
        marker = compute.and_(compute.ends_with(names, b"/"), compute.equal(sizes(rows), 0)).fill_null(False)
        wanted = compute.and_(wanted, compute.invert(marker))
    rows, names = rows.filter(wanted), names.filter(wanted)
    return batch_of(_keys(names), rows)


def _flag(rows: pyarrow.RecordBatch, name: str, *, default: bool, wanted: bool) -> pyarrow.Array:
    """Return whether a column is as wanted: CSV has true and false as text, and buckets without versions neither."""
    column = rows.column(name)
    if not pyarrow.types.is_boolean(column.type):
        lower = compute.utf8_lower(text(rows, name))
        column = compute.if_else(compute.equal(lower, ""), None, compute.equal(lower, "true"))
    return compute.equal(column.fill_null(default), wanted)


def _keys(names: pyarrow.Array) -> pyarrow.Array:
    try:
        names.cast(pyarrow.string())
    except pyarrow.ArrowInvalid:  # nothing that S3 writes
        return pyarrow.array([keys.from_bytes(name) for name in names.to_pylist()], pyarrow.string())
    return _changed(names, _ESCAPED, lambda name: keys.from_bytes(name).encode()).cast(pyarrow.string())


def _changed(names: pyarrow.Array, pattern: str, change: Callable[[bytes], bytes]) -> pyarrow.Array:
    """Return names of which those that match a pattern are changed: by Python, since they are few."""
    matching = compute.match_substring_regex(names, pattern).fill_null(False)
    if not compute.any(matching).as_py():
        return names
    changed = [change(name) for name in names.filter(matching).to_pylist()]
    return compute.replace_with_mask(names, matching, pyarrow.array(changed, pyarrow.binary()))
