"""A list of keys is read as it is written, in each format; what is no list is refused before a run starts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from featx_job.failures import RunFailure
from featx_job.source import key_list, list_files
from featx_job.source.objects import SourceObject
from pyarrow import parquet

KEYS = ["b.jpg", "a/é, with comma.jpg", 'quo"te', "\\x00\\xFF", " blank ", "#hash"]


def read(path: Path) -> list[SourceObject]:
    uri = f"s3://lists/{path.name}"
    return [SourceObject(*row.values()) for batch in key_list.local_batches(uri, path) for row in batch.to_pylist()]


def write(path: Path, data: bytes) -> Path:
    packed = {".gz": gzip.compress, ".zst": pyarrow.Codec("zstd").compress}.get(path.suffix, bytes)
    path.write_bytes(packed(data))
    return path


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_text_has_one_key_per_line_of_whatever_letters(tmp_path: Path, ending: str, line_end: str) -> None:
    text = line_end.join(["\ufeff" + KEYS[0], *KEYS[1:3], "", *KEYS[3:]])
    path = write(tmp_path / f"keys.txt{ending}", text.encode())
    assert read(path) == [SourceObject(key, 1, "") for key in KEYS]


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_csv_has_columns_in_any_order_and_others_do_not_matter(tmp_path: Path, ending: str) -> None:
    text = 'label,ETag,Key,size\nx,"""e1""","a, b.jpg",7\n,,0123,\n'
    found = read(write(tmp_path / f"keys.csv{ending}", text.encode()))
    assert found == [SourceObject("a, b.jpg", 7, "e1"), SourceObject("0123", 1, "")]


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_json_lines_have_fields(tmp_path: Path, ending: str) -> None:
    lines = [{"key": key, "size": 3, "version": "v", "label": ["x"]} for key in KEYS]
    text = "\n".join(map(json.dumps, [*lines, {"key": "plain"}]))
    found = read(write(tmp_path / f"keys.jsonl{ending}", text.encode()))
    assert found == [*(SourceObject(key, 3, "v") for key in KEYS), SourceObject("plain", 1, "")]


def test_parquet_has_columns(tmp_path: Path) -> None:
    columns = {"key": pyarrow.array(KEYS).dictionary_encode(), "size": pyarrow.array([9] * 6, pyarrow.int32())}
    parquet.write_table(pyarrow.table({**columns, "version": ["v", *[None] * 5]}), tmp_path / "keys.parquet")
    versions = ["v", *[""] * 5]
    expected = [SourceObject(key, 9, version) for key, version in zip(KEYS, versions, strict=True)]
    assert read(tmp_path / "keys.parquet") == expected


def test_a_list_of_many_batches_is_whole_and_in_order(tmp_path: Path) -> None:
    names = [f"{number:07}.jpg" for number in range(3 * list_files.BATCH_ROWS + 1)][::-1]
    parquet.write_table(pyarrow.table({"key": names}), tmp_path / "keys.parquet", row_group_size=100_000)
    write(tmp_path / "keys.txt.gz", "\n".join(names).encode())
    for name in ("keys.parquet", "keys.txt.gz"):
        assert [file.key for file in read(tmp_path / name)] == names


def test_an_empty_list_lists_nothing(tmp_path: Path) -> None:
    for name in ("keys.txt", "keys.txt.gz", "keys.csv", "keys.jsonl"):
        assert read(write(tmp_path / name, b"")) == []


BAD_ROW = "has no key in row 2 (empty, too long or with control characters)"


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("keys.csv", b"name,size\na,1\n", "has no column named key"),
        ("keys.csv", b"key,KEY\na,1\n", "has two columns of the same name"),
        ("keys.csv", b"key,size\na,1\nb\n", "is damaged, or is no csv file"),
        ("keys.csv", b"key,size\na,many\n", "is damaged, or is no csv file"),
        ("keys.csv", b"key,size\na,-1\n", "has a size below zero"),
        ("keys.csv", b'key,size\na,1\n"",1\n', BAD_ROW),
        ("keys.txt", b"a\nb\x00c\n", BAD_ROW),
        ("keys.txt", b"a\n" + b"b" * 4097, BAD_ROW),
        ("keys.txt", b"a\n\xff\n", "is damaged, or is no txt file"),
        ("keys.txt", b"a" * (list_files.BLOCK_BYTES * 2 + 2), ""),
        ("keys.jsonl", b'{"key": "a"}\n{"size": 1}', BAD_ROW),
        ("keys.jsonl", b'{"key": "a"', "is damaged, or is no jsonl file"),
        ("keys.jsonl", b'{"key": 1}', "is damaged, or is no jsonl file"),
        ("keys.parquet", b"PAR1", "is damaged, or is no parquet file"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    with pytest.raises(RunFailure) as refused:
        read(write(tmp_path / name, data))
    assert refused.value.class_ == "SourceNotSupported"
    message = str(refused.value)
    assert message.startswith(f"spec.source.list: s3://lists/{name} {words}")
    assert message.endswith("; write it as docs/how-to/large-sources.md describes")


def test_a_compressed_file_that_is_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.txt.gz"
    path.write_bytes(gzip.compress("\n".join(map(str, range(100_000))).encode())[:-10_000])
    with pytest.raises(RunFailure, match="is damaged, or is no txt file"):
        read(path)


def test_parquet_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    keys = pyarrow.Array.from_buffers(pyarrow.string(), 1, pyarrow.array([b"\xff"], pyarrow.binary()).buffers())
    parquet.write_table(pyarrow.table({"key": keys}), tmp_path / "keys.parquet")
    with pytest.raises(RunFailure, match="has a column key that is not UTF-8"):
        read(tmp_path / "keys.parquet")


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    def nothing(*_: Any) -> bool:
        return False

    with pytest.raises(RunFailure, match=r"spec.source.list: s3://lists/a.txt not found; correct the address"):
        list(key_list.batches(nothing, tmp_path, "s3://lists/a.txt"))
