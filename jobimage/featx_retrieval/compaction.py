"""Compacts tables of many small files: those of runs by earlier versions, or of many small runs into one table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from deltalake import DeltaTable, WriterProperties
from deltalake.exceptions import DeltaError, TableNotFoundError
from featx_job.clients import s3_settings

from featx_retrieval.table import TableError

FILE_BYTES = 256 * 1024 * 1024
KEPT_HOURS = 7 * 24  # Delta Lake's default


class Compacted(NamedTuple):
    """What was done.

    Attributes:
        files: Number of files before.
        joined: How many of them were joined.
        written: Number of files that took their place.
        removed: Number of files that were removed, since no version of the last days has them.
    """

    files: int
    joined: int
    written: int
    removed: int


def compact(uri: str, endpoint: str | None = None, file_bytes: int = FILE_BYTES, *, remove: bool = False) -> Compacted:
    """Join a Delta table's small files. Its rows stay the same, and readers and writers may go on meanwhile.

    Args:
        uri: A folder, file:///... or s3://bucket/prefix.
        endpoint: The S3 server. Defaults to AWS_ENDPOINT_URL, then to AWS itself.
        file_bytes: Size of the files that are written.
        remove: Whether to remove files that no version of the last seven days has.

    Raises:
        TableError: It is no Delta table, can't be reached, or another writer is faster.
    """
    try:
        table = _opened(uri, endpoint)
        files = len(table.file_uris())
        properties = WriterProperties(compression="ZSTD")
        metrics = table.optimize.compact(target_size=file_bytes, writer_properties=properties)
        removed = table.vacuum(retention_hours=KEPT_HOURS, dry_run=False) if remove else []
    except TableNotFoundError:
        raise TableError(f"{uri}: has no Delta log; only tables of output.format delta can be compacted") from None
    except (OSError, DeltaError) as error:
        raise TableError(f"{uri}: can't be compacted: {' '.join(str(error).split())}") from None
    return Compacted(files, metrics["numFilesRemoved"], metrics["numFilesAdded"], len(removed))


def _opened(uri: str, endpoint: str | None) -> DeltaTable:
    if urlsplit(uri).scheme == "s3":
        options = s3_settings.from_environment(endpoint, os.environ).for_object_store()
        return DeltaTable(uri, storage_options={**options, "aws_conditional_put": "etag"})
    if not uri.startswith("file://") and "://" in uri:
        raise TableError(f"{uri}: only folders, file:/// and s3:// can be compacted")
    return DeltaTable(Path(uri.removeprefix("file://")))
