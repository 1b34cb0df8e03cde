"""An inventory's rows become the objects that a listing of the bucket would show, in each format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow
import pytest
from featx_job.clients.s3 import TooLargeError
from featx_job.failures import RunFailure
from featx_job.source import inventory, keys
from featx_job.source.inventory import Inventory
from featx_job.source.objects import SourceObject

from tests.support import inventories
from tests.support.inventories import Entry, Format

URI = "s3://lists/inventory/daily"
each_format = pytest.mark.parametrize("format_", inventories.FORMATS)


class Bucket:
    """What an inventory asks of the bucket that it is in."""

    name = "lists"

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects = objects

    def download(self, key: str, path: Path, most: int) -> bool:
        if key not in self.objects:
            return False
        if len(self.objects[key]) > most:
            raise TooLargeError
        path.write_bytes(self.objects[key])
        return True

    def below(self, prefix: str, after: str = "") -> Any:
        listed = sorted(key for key in self.objects if key.startswith(prefix))
        return (SourceObject(key, 1) for key in listed)


def read(folder: Path, objects: dict[str, bytes], uri: str = URI, prefix: str = "") -> list[SourceObject]:
    listing = Inventory(Bucket(objects), uri, folder)  # type: ignore[arg-type]
    batches = listing.batches("photos", prefix, listing.manifest())
    return [SourceObject(*row.values()) for batch in batches for row in batch.to_pylist()]


def refusal(folder: Path, objects: dict[str, bytes], uri: str = URI) -> RunFailure:
    with pytest.raises(RunFailure) as refused:
        read(folder, objects, uri)
    assert str(refused.value).startswith("spec.source.s3.inventory: ")
    assert "\n" not in str(refused.value)
    assert list(folder.iterdir()) == []
    return refused.value


@each_format
def test_names_are_keys_whatever_they_hold(tmp_path: Path, format_: Format) -> None:
    names = ["a b+c%41.jpg", "é/ü.png", "line\nbreak", "\\x41", "plain.jpg", 'quo"te,comma', "a/../b", "\x7f"]
    objects = inventories.objects(
        format_, "photos", [inventories.data_file(format_, "photos", [Entry(name, 5, "abc") for name in names])]
    )
    assert read(tmp_path, objects) == [SourceObject(keys.from_text(name), 5, "abc") for name in names]
    assert list(tmp_path.iterdir()) == []


@each_format
def test_only_newest_versions_that_are_no_markers_count(tmp_path: Path, format_: Format) -> None:
    entries = [
        Entry("a", 1, "1", latest=False),
        Entry("a", 2, "2"),
        Entry("gone", None, None, deleted=True),
        Entry("folder/", 0, "3"),
        Entry("content/", 4, "4"),
        Entry("empty", 0, None),
    ]
    objects = inventories.objects(format_, "photos", [inventories.data_file(format_, "photos", entries)])
    assert read(tmp_path, objects) == [
        SourceObject("a", 2, "2"),
        SourceObject("content/", 4, "4"),
        SourceObject("empty", 0, ""),
    ]


@each_format
def test_files_are_read_in_their_order_and_names_without_the_prefix_are_left_out(
    tmp_path: Path, format_: Format
) -> None:
    parts = [["in/z", "out/a"], [], ["in/b", "in/a"], ["in", "in/é"]]
    files = [inventories.data_file(format_, "photos", [Entry(name) for name in part]) for part in parts]
    found = read(tmp_path, inventories.objects(format_, "photos", files), prefix="in/")
    assert [file.key for file in found] == ["in/z", "in/b", "in/a", "in/é"]


def test_a_prefix_is_compared_with_the_name_and_not_with_its_key(tmp_path: Path) -> None:
    names = ["\\x41", "\x01", "\\y"]
    file = inventories.data_file("Parquet", "photos", [Entry(name) for name in names])
    found = read(tmp_path, inventories.objects("Parquet", "photos", [file]), prefix="\\")
    assert [file.key for file in found] == [keys.from_text("\\x41"), "\\y"]


def test_an_inventory_without_optional_columns_has_unknown_sizes_and_versions(tmp_path: Path) -> None:
    file = inventories.table_file("Parquet", pyarrow.table({"bucket": ["photos"], "key": ["a"]}))
    assert read(tmp_path, inventories.objects("Parquet", "photos", [file])) == [SourceObject("a", 1, "")]


def test_a_name_that_is_not_utf_8_has_a_key(tmp_path: Path) -> None:
    file = inventories.table_file("Parquet", pyarrow.table({"key": pyarrow.array([b"a\xff", b"b"], pyarrow.binary())}))
    found = read(tmp_path, inventories.objects("Parquet", "photos", [file]))
    assert [file.key for file in found] == ["a\\xFF", "b"]


def test_of_dated_inventories_the_newest_complete_one_is_read(tmp_path: Path) -> None:
    older = inventories.objects("CSV", "photos", [inventories.data_file("CSV", "photos", [Entry("old")])])
    newer = inventories.objects("CSV", "photos", [inventories.data_file("CSV", "photos", [Entry("new")])])
    objects = {key.replace("11-28", "11-27").replace("data/", "data/old"): data for key, data in older.items()}
    for key in [key for key in objects if key.endswith("manifest.json")]:
        objects[key] = objects[key].replace(b"data/", b"data/old")
    objects |= newer | {"inventory/daily/2026-11-29T01-00Z/manifest.checksum": b"", "inventory/daily/hive/z": b""}
    for uri in (URI, f"{URI}/"):
        assert [file.key for file in read(tmp_path, objects, uri)] == ["new"]
    assert [file.key for file in read(tmp_path, objects, f"{URI}/2026-11-27T01-00Z/manifest.json")] == ["old"]


FILE = inventories.data_file("Parquet", "photos", [Entry("a")])


@pytest.mark.parametrize(
    ("changes", "class_", "words"),
    [
        ({"sourceBucket": "pictures"}, "SourceNotSupported", "lists bucket 'pictures', not photos"),
        ({"fileFormat": "Avro"}, "SourceNotSupported", "format 'Avro'; configure one of CSV, ORC, Parquet"),
        ({"files": None}, "SourceNotSupported", "is not the manifest of an S3 Inventory (see files)"),
        ({"files": [{"key": "a", "size": 1, "MD5checksum": "x"}]}, "SourceNotSupported", "(see files.0.MD5checksum)"),
        ({"files": [{"key": "a", "size": -1, "MD5checksum": "0" * 32}]}, "SourceNotSupported", "(see files.0.size)"),
        ({"files": [{"key": "../a", "size": 1, "MD5checksum": "0" * 32}]}, "SourceNotFound", "data file '../a'"),
        ({"fileFormat": "ORC"}, "SourceNotSupported", "is damaged, or is no orc file"),
        ({"fileFormat": "CSV", "fileSchema": "Bucket, Size"}, "SourceNotSupported", "has no column named key"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, Any], class_: str, words: str
) -> None:
    refused = refusal(tmp_path, inventories.objects("Parquet", "photos", [FILE], **changes))
    assert refused.class_ == class_
    assert words in str(refused)


@pytest.mark.parametrize("other", [FILE[:-1] + b"x", FILE + b"x", b""])
def test_a_file_with_another_content_than_the_manifest_says_is_refused(tmp_path: Path, other: bytes) -> None:
    objects = inventories.objects("Parquet", "photos", [FILE, FILE])
    objects["inventory/daily/data/0001.parquet"] = other
    refused = refusal(tmp_path, objects)
    assert refused.class_ == "SourceNotSupported"
    assert "data/0001.parquet' of s3://lists/inventory/daily is not the file" in str(refused)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    objects = inventories.objects("Parquet", "photos", [FILE])
    assert "s3://lists/a/manifest.json not found" in str(refusal(tmp_path, objects, "s3://lists/a/manifest.json"))
    assert "has no complete inventory" in str(refusal(tmp_path, objects, "s3://lists/elsewhere"))
    del objects["inventory/daily/data/0000.parquet"]
    missing = refusal(tmp_path, objects)
    assert missing.class_ == "SourceNotFound"
    assert "data file 'inventory/daily/data/0000.parquet'" in str(missing)


def test_a_manifest_of_another_kind_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = "s3://lists/a/manifest.json"
    for data in (b"", b"[1]", b"\xff", b'{"files": []}', b"[" * 100_000):
        assert refusal(tmp_path, {"a/manifest.json": data}, uri).class_ == "SourceNotSupported"
    monkeypatch.setattr(inventory, "MOST_MANIFEST_BYTES", 3)
    assert "has more than" in str(refusal(tmp_path, {"a/manifest.json": b"1234"}, uri))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"key": [1]}, "has a column key that is no text"),
        ({"key": ["a"], "size": ["1"]}, "has a column size that holds no integers"),
        ({"key": ["a"], "size": [-1]}, "has a size below zero"),
        ({"key": ["a"], "e_tag": [1.5]}, "has a column etag that is no text"),
        ({"key": ["a"], "Key": ["b"]}, "has two columns of the same name"),
    ],
)
def test_columns_of_other_types_are_refused(tmp_path: Path, columns: dict[str, Any], words: str) -> None:
    file = inventories.table_file("Parquet", pyarrow.table(columns))
    assert words in str(refusal(tmp_path, inventories.objects("Parquet", "photos", [file])))
