"""Writes S3 Inventories as AWS lays them out, of objects that a test names or of as many as a measurement needs."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple
from urllib.parse import quote_plus

import pyarrow
import pyarrow.compute as compute
from pyarrow import orc, parquet

Format = Literal["CSV", "ORC", "Parquet"]
FORMATS: tuple[Format, ...] = ("CSV", "ORC", "Parquet")
ENDINGS = {"CSV": "csv.gz", "ORC": "orc", "Parquet": "parquet"}
COLUMNS = ("Bucket", "Key", "VersionId", "IsLatest", "IsDeleteMarker", "Size", "LastModifiedDate", "ETag")
_SNAKE = ("bucket", "key", "version_id", "is_latest", "is_delete_marker", "size", "last_modified_date", "e_tag")

_TYPES = (
    *(pyarrow.string(), pyarrow.string(), pyarrow.string(), pyarrow.bool_(), pyarrow.bool_()),
    *(pyarrow.int64(), pyarrow.timestamp("ms"), pyarrow.string()),
)


class Entry(NamedTuple):
    """A version of an object."""

    key: str
    size: int | None = 1
    etag: str | None = "e"
    latest: bool = True
    deleted: bool = False


def data_file(format_: Format, bucket: str, entries: Sequence[Entry]) -> bytes:
    """A data file of an inventory with all versions."""
    if format_ == "CSV":
        text = io.StringIO()
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
        for entry in entries:
            flags = (str(entry.latest).lower(), str(entry.deleted).lower())
            size = "" if entry.size is None else entry.size
            name = quote_plus(entry.key, safe="/")
            writer.writerow((bucket, name, "v1", *flags, size, "2026-11-28T01:00:00.000Z", entry.etag or ""))
        return gzip.compress(text.getvalue().encode(), mtime=0)
    rows = [(bucket, e.key, "v1", e.latest, e.deleted, e.size, 0, e.etag) for e in entries]
    columns = [pyarrow.array([row[at] for row in rows], kind) for at, kind in enumerate(_TYPES)]
    return table_file(format_, pyarrow.table(columns, names=list(_SNAKE)))


def table_file(format_: Format, table: pyarrow.Table) -> bytes:
    """A table as a file."""
    stream = io.BytesIO()
    if format_ == "ORC":
        orc.write_table(table, stream, compression="zlib")
    else:
        parquet.write_table(table, stream, compression="snappy", row_group_size=1 << 20)
    return stream.getvalue()


def objects(
    format_: Format, bucket: str, parts: Sequence[bytes], folder: str = "inventory/daily", **changes: Any
) -> dict[str, bytes]:
    """The objects of one inventory by key: data files and the manifest, whose fields may be changed."""
    names = [f"{folder}/data/{number:04}.{ENDINGS[format_]}" for number in range(len(parts))]
    listed = [
        {"key": name, "size": len(data), "MD5checksum": hashlib.md5(data, usedforsecurity=False).hexdigest()}
        for name, data in zip(names, parts, strict=True)
    ]
    manifest = {
        "sourceBucket": bucket,
        "destinationBucket": f"arn:aws:s3:::{bucket}",
        "version": "2016-11-30",
        "creationTimestamp": "1795827600000",
        "fileFormat": format_,
        "fileSchema": ", ".join(COLUMNS) if format_ == "CSV" else "message s3.inventory { … }",
        "files": listed,
    } | changes
    data = json.dumps(manifest).encode()
    dated = f"{folder}/2026-11-28T01-00Z"
    checksum = hashlib.md5(data, usedforsecurity=False).hexdigest().encode()
    own = {f"{dated}/manifest.json": data, f"{dated}/manifest.checksum": checksum}
    return own | dict(zip(names, parts, strict=True))


def many(format_: Format, bucket: str, count: int, per_file: int = 1_000_000) -> Iterator[bytes]:
    """Data files of an inventory of so many objects, with keys and ETags as unlike each other as real ones.

    Args:
        format_: Of the files.
        bucket: That is listed.
        count: Number of objects.
        per_file: Of each file.
    """
    for start in range(0, count, per_file):
        rows = min(per_file, count - start)
        etags = pyarrow.array(
            [hashlib.md5(b"%d" % n, usedforsecurity=False).hexdigest() for n in range(start, start + rows)]
        )
        folders = compute.utf8_slice_codeunits(etags, 0, 2)
        keys = compute.binary_join_element_wise("photos/", folders, "/", etags, ".jpg", "")
        sizes = pyarrow.array(range(20_000 + start % 1000, 20_000 + start % 1000 + rows), pyarrow.int64())
        if format_ == "CSV":
            line = compute.binary_join_element_wise(
                f'"{bucket}","',
                keys,
                '","","true","false","',
                sizes.cast(pyarrow.string()),
                '","2026-11-28T01:00:00.000Z","',
                etags,
                '"\n',
                "",
            )
            yield gzip.compress("".join(line.to_pylist()).encode(), 6, mtime=0)
            continue
        flags = [pyarrow.array([value] * rows) for value in (True, False)]
        times = pyarrow.array([0] * rows, pyarrow.timestamp("ms"))
        columns = [
            pyarrow.array([bucket] * rows),
            keys,
            pyarrow.nulls(rows, pyarrow.string()),
            *flags,
            sizes,
            times,
            etags,
        ]
        yield table_file(format_, pyarrow.table(columns, names=list(_SNAKE)))
