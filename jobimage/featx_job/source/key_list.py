"""`spec.source.list`: a file with the keys of the objects to read, one per row."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow
from featx_api.failures import FailureClass
from featx_api.names import MOST_KEY_LETTERS
from pyarrow import compute

from featx_job.clients.s3 import TooLargeError
from featx_job.failures import RunFailure
from featx_job.source import list_files
from featx_job.source.list_files import Format, UnreadableList
from featx_job.source.listed import batch_of, text

FIELD = "spec.source.list"
MOST_BYTES = 64 << 30  # of the file, on the driver's disk: more than a billion keys take
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_FORMATS: dict[str, Format] = {".parquet": "parquet", ".csv": "csv", ".txt": "txt", ".jsonl": "jsonl"}

#: Copies a file to a path, so many bytes at most. Returns whether there is one. Raises RunFailure or TooLargeError.
Download = Callable[[Path, int], bool]


def batches(download: Download, work: Path, uri: str) -> Iterator[pyarrow.RecordBatch]:
    """Yield the objects of a list in its order, as batches of `listed.COLUMNS`.

    An object is listed whether or not it exists: its reader reports it missing, so no requested image gets lost.

    Args:
        download: Fetches it.
        work: Folder for a copy.
        uri: Address of the list.

    Raises:
        RunFailure: SourceNotFound; SourceNotSupported, if it is no such list; or why the store can't be reached.
    """
    with tempfile.TemporaryDirectory(dir=work, prefix="list-") as folder:
        path = Path(folder) / "list"
        try:
            found = download(path, MOST_BYTES)
        except TooLargeError:
            message = f"{FIELD}: {uri} has more than {MOST_BYTES >> 30} GiB; split it over several resources"
            raise RunFailure(FailureClass.SOURCE_NOT_SUPPORTED, message) from None
        if not found:
            raise RunFailure(FailureClass.SOURCE_NOT_FOUND, f"{FIELD}: {uri} not found; correct the address")
        yield from local_batches(uri, path)


def local_batches(uri: str, path: Path) -> Iterator[pyarrow.RecordBatch]:
    """Yield the objects of a list that is on this machine.

    Args:
        uri: Its address, whose ending is the format.
        path: Where it is.

    Raises:
        RunFailure: SourceNotSupported.
    """
    *_, last = Path(uri).suffixes
    compression = _COMPRESSIONS.get(last)
    format_ = _FORMATS[Path(uri.removesuffix(last) if compression else uri).suffix]
    before = 0
    try:
        for rows in list_files.rows(path, format_, compression=compression):
            keys = text(rows, "key")
            _check(keys, before)
            yield batch_of(keys, rows)
            before += len(rows)
    except UnreadableList as problem:
        hint = "write it as docs/how-to/large-sources.md describes"
        raise RunFailure(FailureClass.SOURCE_NOT_SUPPORTED, f"{FIELD}: {uri} {problem}; {hint}") from None


def _check(keys: pyarrow.Array, before: int) -> None:
    """Refuse rows that hold no key, as the API refuses them in `spec.source.keys`.

    Args:
        keys: Of a batch.
        before: Number of rows before it.
    """
    lengths = compute.utf8_length(keys).fill_null(0)
    fits = compute.and_(compute.greater(lengths, 0), compute.less_equal(lengths, MOST_KEY_LETTERS))
    fine = compute.and_(fits, compute.invert(compute.match_substring_regex(keys, r"[\x00-\x1f\x7f]"))).fill_null(False)
    wrong = compute.index(fine, False).as_py()
    if wrong >= 0:
        raise UnreadableList(f"has no key in row {before + wrong + 1:,} (empty, too long or with control characters)")
