"""Reads finished tables, locally or from S3: only the columns it is given, in batches.

Tables may hold 10^8 rows, so a query must not hold a whole table. pyarrow's own S3 client is used: it fetches
the byte ranges of the wanted columns, where a client of whole objects would fetch every feature to read the keys.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from featx_job.clients import s3_settings
from featx_job.table import delta_entries
from pyarrow import fs

NO_BITS = "its run did not set extractor.binarize; compare by feature"
BATCH_ROWS = 65_536


class TableError(Exception):
    """A table can't be used. The message names it and says what to do, in one line."""


class Table(NamedTuple):
    """Rows in memory: keys, features (n, d) float32 or None, bits (n, b/8) uint8 or None, areas (n,) int64 or None."""

    keys: list[str]
    features: npt.NDArray[np.float32] | None
    bits: npt.NDArray[np.uint8] | None
    areas: npt.NDArray[np.int64] | None


def read(uri: str, columns: Sequence[str], endpoint: str | None = None) -> Table:
    """A whole table. It takes the memory of the named columns, twice while they are joined.

    Raises:
        TableError: See `batches`; or the table is empty.
    """
    parts = list(batches(uri, columns, endpoint))
    if not parts:
        raise TableError(f"{uri}: the table has no rows")

    def joined(name: str) -> Any:
        arrays = [getattr(part, name) for part in parts]
        return None if arrays[0] is None else np.concatenate(arrays)

    keys = [key for part in parts for key in part.keys]
    return Table(keys, joined("features"), joined("bits"), joined("areas"))


def quarantined(uri: str, endpoint: str | None = None) -> dict[str, str]:
    """The reason for each image in a table's quarantine, by key.

    Raises:
        TableError: The quarantine can't be read.
    """
    try:
        system, folder = _place(uri, endpoint, os.environ)
        place = fs.FileSelector(f"{folder}/_quarantine", allow_not_found=True, recursive=True)
        files = system.get_file_info(place)
        parts = sorted(file.path for file in files if file.is_file and _is_part(file.base_name))
        if not parts:
            return {}
        rows = ds.dataset(parts, filesystem=system, format="parquet").to_table(columns=["key", "reason"])
        return dict(zip(rows["key"].to_pylist(), rows["reason"].to_pylist(), strict=True))
    except (OSError, pa.ArrowException) as error:
        raise TableError(f"{uri}: can't be read: {' '.join(str(error).split())}") from None


def batches(uri: str, columns: Sequence[str], endpoint: str | None = None) -> Iterator[Table]:
    """Yields a table's rows, ordered by file and by their place in it.

    Args:
        uri: A folder, file:///... or s3://bucket/prefix.
        columns: Columns to read; `key` must be among them. Areas need `width` and `height`.
        endpoint: The S3 server. Defaults to AWS_ENDPOINT_URL, then to AWS itself.

    Raises:
        TableError: There is no table, it is unfinished or unreadable, or a column is missing.
    """
    try:
        yield from _batches(uri, columns, endpoint)
    except NotADirectoryError:
        raise TableError(f"{uri}: is a file: name the folder that holds _SUCCESS") from None
    except (OSError, pa.ArrowException, DeltaError) as error:
        raise TableError(f"{uri}: can't be read: {' '.join(str(error).split())}") from None


def _batches(uri: str, columns: Sequence[str], endpoint: str | None) -> Iterator[Table]:
    system, folder = _place(uri, endpoint, os.environ)
    files = system.get_file_info(fs.FileSelector(folder, allow_not_found=True))
    names = {file.base_name for file in files}
    parts = sorted(file.path for file in files if file.is_file and _is_part(file.base_name))
    if delta_entries.FOLDER in names:
        parts = _named_by_log(uri, folder, endpoint, os.environ)
    if "_SUCCESS" not in names:
        if "_featx" in names or parts:
            raise TableError(f"{uri}: the table is unfinished (_SUCCESS is missing): let its run finish first")
        raise TableError(f"{uri}: not a table: name the folder that holds _SUCCESS")
    if not parts:
        return
    dataset = ds.dataset(parts, filesystem=system, format="parquet")
    missing = [name for name in columns if name not in dataset.schema.names]
    if missing:
        hint = f": {NO_BITS}" if "bits" in missing else ""
        raise TableError(f"{uri}: the table has no column {', '.join(missing)}{hint}")
    for batch in dataset.to_batches(columns=list(columns), batch_size=BATCH_ROWS):
        if batch.num_rows:
            yield _table(batch, uri)


def _is_part(name: str) -> bool:
    return name.endswith(".parquet") and name[0] not in "_."


def _named_by_log(uri: str, folder: str, endpoint: str | None, environment: Mapping[str, str]) -> list[str]:
    """The files of a Delta table's newest version."""
    is_bucket = urlsplit(uri).scheme == "s3"
    options = s3_settings.from_environment(endpoint, environment).for_object_store() if is_bucket else {}
    table = DeltaTable(uri, storage_options=options)
    return sorted(f"{folder}/{path}" for path in pa.table(table.get_add_actions())["path"].to_pylist())


def _place(uri: str, endpoint: str | None, environment: Mapping[str, str]) -> tuple[fs.FileSystem, str]:
    # Not by urlsplit: # and ? are characters of a name here.
    scheme, separator, place = uri.partition("://")
    if not separator:
        return fs.LocalFileSystem(), uri
    if scheme == "s3":
        arguments = s3_settings.from_environment(endpoint, environment).for_arrow()
        return fs.S3FileSystem(**arguments), place.rstrip("/")
    if scheme != "file":
        raise TableError(f"{uri}: only folders, file:/// and s3:// can be read")
    return fs.LocalFileSystem(), place


def _table(batch: Any, uri: str) -> Table:
    def column(name: str) -> Any:
        return batch.column(name) if name in batch.schema.names else None

    rows, feature, bits, width = batch.num_rows, column("feature"), column("bits"), column("width")
    if feature is not None:
        feature = _matrix(feature.flatten().to_numpy(), rows, uri, "feature").astype(np.float32, copy=False)
    if bits is not None and bits.null_count:
        raise TableError(f"{uri}: rows have no bits: {NO_BITS}")
    if bits is not None:
        bits = _matrix(np.frombuffer(b"".join(bits.to_pylist()), np.uint8), rows, uri, "bits")
    areas = None if width is None else width.to_numpy().astype(np.int64) * column("height").to_numpy()
    return Table(batch.column("key").to_pylist(), feature, bits, areas)


def _matrix(flat: npt.NDArray[Any], rows: int, uri: str, name: str) -> npt.NDArray[Any]:
    if flat.size % rows:
        raise TableError(f"{uri}: the rows of column {name} differ in length")
    return flat.reshape(rows, -1)
