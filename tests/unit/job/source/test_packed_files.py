"""Files of many images become shards as wholes; markers and logs of their writers do not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from featx_api.source import Packed, Source
from featx_job.source import packed_files
from featx_job.source.objects import SourceObject
from featx_job.source.shards import from_bytes, to_bytes
from hypothesis import given
from hypothesis import strategies as st

ARCHIVES = [
    "a/b.TAR.gz",
    "a/b.tar",
    "a/c",
    "a/d.zip",
    "a/e.tfrecord-00000-of-00002",
    "a/f.pq",
    "a/part-0.parquet",
    "a/readme.md",
]
TAR = Packed(format="tar")


@pytest.mark.parametrize(
    ("kind", "selected"),
    [
        ("tar", ["a/b.TAR.gz", "a/b.tar", "a/c"]),
        ("zip", ["a/c", "a/d.zip"]),
        ("tfrecord", ["a/c", "a/e.tfrecord-00000-of-00002"]),
        ("parquet", ["a/c", "a/f.pq", "a/part-0.parquet"]),
        ("sequenceFile", ARCHIVES),
        ("auto", [key for key in ARCHIVES if key != "a/readme.md"]),
    ],
)
def test_files_of_the_format_are_selected_and_markers_and_logs_are_not(kind: Any, selected: list[str]) -> None:
    keys = ["_SUCCESS", "_spark_metadata/0", "_temporary/x.parquet", "a/.b.tar", *ARCHIVES]
    shards = packed_files.group_files("file:///", [SourceObject(key, 1) for key in keys], Packed(format=kind))
    assert [file.key for group in shards.groups for file in group] == selected


@given(st.lists(st.integers(0, 200 << 20), max_size=20))
def test_each_file_is_in_one_shard_and_small_ones_share(sizes: list[int]) -> None:
    files = [SourceObject(f"{number:03}.tar", size) for number, size in enumerate(sizes)]
    shards = packed_files.group_files("file:///", files, TAR)
    assert [file for group in shards.groups for file in group] == files
    assert all(
        len(group) == 1 or sum(file.size for file in group) <= packed_files.SHARD_BYTES for group in shards.groups
    )
    assert from_bytes(to_bytes(shards)) == shards
    assert json.loads(shards.line(0))["packed"]["format"] == "tar" if sizes else len(shards) == 0


@given(st.lists(st.integers(0, 2 << 20), max_size=20))
def test_a_table_of_urls_is_split_into_parts_and_each_part_is_in_one_shard(sizes: list[int]) -> None:
    files = [SourceObject(f"{number:03}.parquet", size) for number, size in enumerate(sizes)]
    shards = packed_files.group_files("file:///", files, Packed(url_column="url"))
    assert list(shards.files()) == files
    parts: dict[str, list[tuple[int, int]]] = {}
    for index in range(len(shards)):
        line = json.loads(shards.line(index))
        for key, _ in line["objects"]:
            parts.setdefault(key, []).append(tuple(line["part"]))
    assert all(listed == [(number, len(listed)) for number in range(len(listed))] for listed in parts.values())
    assert all(len(parts[file.key]) >= file.size / packed_files.URL_SHARD_BYTES for file in files)
    assert from_bytes(to_bytes(shards)) == shards


FILES = [SourceObject(key, 1) for key in ("a.tar", "a.tar.gz", "b/c.zip", "d.tar")]


def test_only_the_files_that_hold_selected_images_are_read() -> None:
    keys = ["b/c.zip/x/1.jpg", "a.tar/2.jpg#7", "a.tar/1.jpg", "d.tar", "gone.tar/1.jpg", "a.tar/1.jpg"]
    shards = packed_files.group_keys("file:///", FILES, TAR, keys)
    (line,) = (json.loads(shards.line(index)) for index in range(len(shards)))
    assert line["objects"] == [[key, 1] for key in ("a.tar", "b/c.zip", "d.tar", "gone.tar/1.jpg")]
    assert line["keys"] == sorted(set(keys))
    assert from_bytes(to_bytes(shards)) == shards


def test_selected_urls_of_one_table_are_shared_by_tasks() -> None:
    files = [SourceObject("u.parquet", 1 << 30), SourceObject("v.parquet", 1)]
    keys = [f"u.parquet/{number}" for number in range(packed_files.URLS_PER_SHARD + 1)]
    shards = packed_files.group_keys("file:///", files, Packed(url_column="url"), [*keys, "v.parquet", "v.parquet/1"])
    lines = [json.loads(shards.line(index)) for index in range(len(shards))]
    assert [line["part"] for line in lines] == [[0, 1]] * 3
    assert sorted(key for line in lines[:2] for key in line["keys"]) == sorted(keys)
    assert (lines[2]["objects"], lines[2]["keys"]) == ([["v.parquet", 1]], ["v.parquet"])


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        ({"format": "sequenceFile", "carry": ["label"]}, "requires a format with columns"),
        ({"carry": ["Key"]}, "must not name a column of the table"),
        ({"carry": ["label", "Label"]}, "must not name a column twice"),
        ({"carry": ["a b"]}, "pattern"),
    ],
)
def test_carried_columns_must_fit_the_table(packed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Packed.model_validate(packed)


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        ({"contentColumn": "image"}, "urlColumn excludes contentColumn"),
        ({"members": "*.jpg"}, "urlColumn excludes contentColumn"),
        ({"format": "tar"}, "urlColumn requires a format with columns"),
    ],
)
def test_urls_take_the_place_of_images(packed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Packed.model_validate({"urlColumn": "url", **packed})


def test_rows_of_hbase_are_no_packed_files() -> None:
    other: dict[str, Any] = {"hbase": {"quorum": "zk", "table": "t", "column": "p:j"}}
    with pytest.raises(ValueError, match=r"spec.source.packed"):
        Source.model_validate({"packed": {"format": "tar"}, **other})
