"""Data sets as people publish them: every image is a row, and whatever cannot be read is said."""

from __future__ import annotations

import base64
import bz2
import gzip
import lzma
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec, Tables, rows_of_folder
from tests.support.packed_files import example, tar, tfrecord, zipped

IMAGES = {f"{number:03}.jpg": drawings.encoded(drawings.scene(seed=number)) for number in range(4)}
FIRST = IMAGES["000.jpg"]
BINARY, TEXT = arrow.binary(), arrow.string()
HUGGING_FACE = arrow.struct([("bytes", BINARY), ("path", TEXT)])
PATIENCE = 60  # seconds, which no damaged file takes


@pytest.fixture(scope="module")
def extractor(tiny: Spec) -> Spec:
    return {"extractor": tiny["extractor"]}


@pytest.fixture
def run(runner: Runner, extractor: Spec, tmp_path: Path) -> Callable[..., Any]:
    """Runs files as one source and returns the outcome, and the tables if it succeeded."""

    def run_files(files: dict[str, bytes], **packed: Any) -> Any:
        for name, data in files.items():
            path = tmp_path / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        spec = {
            "source": {"files": {"uri": f"file://{tmp_path}/in"}, "packed": packed},
            **extractor,
            "output": {"uri": f"file://{tmp_path}/table"},
            "errors": {"maxFailedFraction": 1},
            "limits": {"mebibytes": 1},
        }
        return runner.with_store_timeout(PATIENCE).run(spec, uid="published")

    return run_files


@pytest.fixture
def tables(run: Callable[..., Any], tmp_path: Path) -> Callable[..., Tables]:
    def run_files(files: dict[str, bytes], **packed: Any) -> Tables:
        started = time.monotonic()
        outcome = run(files, **packed)
        assert outcome.failure is None, outcome.failure
        assert time.monotonic() - started < PATIENCE
        return rows_of_folder(tmp_path / "table")

    return run_files


def keys(tables: Tables) -> list[str]:
    return sorted(row["key"] for row in tables.rows)


def table_file(columns: dict[str, Any], **settings: Any) -> bytes:
    sink = arrow.BufferOutputStream()
    parquet.write_table(arrow.table(columns), sink, **settings)
    return bytes(sink.getvalue().to_pybytes())


def hugging_face(paths: list[str | None], images: list[bytes | None]) -> Any:
    rows = [{"bytes": image, "path": path} for path, image in zip(paths, images, strict=True)]
    return arrow.array(rows, HUGGING_FACE)


def test_a_hugging_face_dataset_is_read_without_settings_and_its_labels_are_carried(
    tables: Callable[..., Tables], tmp_path: Path
) -> None:
    image = hugging_face(["a.jpg", None, "a.jpg", "b.jpg"], [FIRST, FIRST, FIRST, None])
    columns = {"image": image, "label": [7, 8, None, 9], "weight": [0.5] * 4, "caption": ["ä", "b", "c", "d"]}
    files = {"data/train-00000-of-00001.parquet": table_file(columns), "README.md": b"# Cats", ".gitattributes": b"x"}
    result = tables(files, carry=["label", "weight", "caption", "absent"])
    file = "data/train-00000-of-00001.parquet"
    carried = {row["key"]: (row["label"], row["weight"], row["caption"], row["absent"]) for row in result.rows}
    assert carried == {
        f"{file}/a.jpg": ("7", "0.5", "ä", None),
        f"{file}/1": ("8", "0.5", "b", None),
        f"{file}/a.jpg#2": (None, "0.5", "c", None),
    }
    assert result.reasons() == {f"{file}/b.jpg": ("read", "Empty")}
    assert "label" in deltalake.DeltaTable(str(tmp_path / "table")).to_pyarrow_table().column_names


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "zstd", "lz4", "brotli"])
def test_parquet_is_read_in_every_codec(tables: Callable[..., Tables], codec: str) -> None:
    columns = {"id": list(range(len(IMAGES))), "picture": arrow.array(IMAGES.values(), BINARY)}
    result = tables({"data.parq": table_file(columns, compression=codec), "part-0": table_file(columns)})
    assert keys(result) == sorted(
        f"{file}/{number}" for file in ("data.parq", "part-0") for number in range(len(IMAGES))
    )


ODD_COLUMNS = {
    "several columns may hold images": {"front": arrow.array([FIRST], BINARY), "back": arrow.array([FIRST], BINARY)},
    "no column holds images": {"label": [1]},
    "column image holds URLs of images; set spec.source.packed.urlColumn": {"image": ["https://example.com/a.jpg"]},
    "column url holds URLs of images; set spec.source.packed.urlColumn": {
        "url": ["s3://bucket/a.jpg"],
        "caption": ["cat"],
    },
    "column image holds base64": {"image": [base64.b64encode(FIRST).decode()]},
    "column image holds lists": {"image": arrow.array([[FIRST]], arrow.list_(BINARY))},
    "column image holds text": {"image": ["cat"]},
}


@pytest.mark.parametrize("message", ODD_COLUMNS)
def test_a_column_that_holds_something_else_is_named_before_the_run(run: Callable[..., Any], message: str) -> None:
    outcome = run({f"{number}.parquet": table_file(ODD_COLUMNS[message]) for number in range(5)})
    assert outcome.failure.class_ == "SourceNotSupported"
    assert not outcome.retryable
    assert message in outcome.failure.message


def test_a_file_with_other_columns_is_one_row_of_the_quarantine(tables: Callable[..., Tables]) -> None:
    good, odd = table_file({"image": arrow.array([FIRST], BINARY)}), table_file({"text": [1]})
    result = tables(
        {"a.parquet": good, "b.parquet": odd, "c.parquet": good, "d.parquet": good[:-20], "e.parquet": good}
    )
    assert keys(result) == ["a.parquet/0", "c.parquet/0", "e.parquet/0"]
    assert result.reasons() == {"b.parquet": ("read", "Unsupported"), "d.parquet": ("read", "Truncated")}


def zstd(data: bytes) -> bytes:
    return bytes(arrow.compress(data, codec="zstd", asbytes=True))


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstd,
}


@pytest.mark.parametrize("ending", COMPRESSIONS)
def test_compressed_archives_are_read_whatever_they_are_called(tables: Callable[..., Tables], ending: str) -> None:
    compressed = COMPRESSIONS[ending](tar(IMAGES))
    result = tables({f"a.tar{ending}": compressed, "b.tar": compressed, "c": compressed, "labels.csv": b"a,b"})
    assert keys(result) == sorted(f"{file}/{name}" for file in (f"a.tar{ending}", "b.tar", "c") for name in IMAGES)


def test_members_are_images_by_content_or_ending_and_each_has_a_key(tables: Callable[..., Tables]) -> None:
    members = {"./dot.jpg": FIRST, "noending": FIRST, "U.JFIF": FIRST, "bigé ?#.jpg": FIRST, "000.json": b"{}"}
    hidden = {"._dot.jpg": b"x", "__MACOSX/a.jpg": b"x", "a/.git/b.jpg": b"x", "Thumbs.db": FIRST}
    links = {
        "hard.jpg": ("noending", tarfile.LNKTYPE),
        "a/soft.jpg": ("../U.JFIF", tarfile.SYMTYPE),
        "chain.jpg": ("hard.jpg", tarfile.SYMTYPE),
        "out.jpg": ("/etc/passwd", tarfile.SYMTYPE),
        "gone.jpg": ("nothing", tarfile.LNKTYPE),
    }
    appended = tar(members | hidden, links) + tar({"dot.jpg": FIRST, "noending": FIRST})
    result = tables({"a.tar": appended})
    names = [
        "./dot.jpg",
        "noending",
        "U.JFIF",
        "bigé ?#.jpg",
        "hard.jpg",
        "a/soft.jpg",
        "chain.jpg",
        "dot.jpg",
        "noending#15",
    ]
    assert keys(result) == sorted(f"a.tar/{name}" for name in names)
    assert result.reasons() == {f"a.tar/{name}": ("read", "Missing") for name in ("out.jpg", "gone.jpg")}


@pytest.mark.parametrize("compress", [bytes, *COMPRESSIONS.values()])
def test_the_images_before_a_cut_are_rows_and_the_archive_is_one_of_the_quarantine(
    tables: Callable[..., Tables], compress: Callable[[bytes], bytes]
) -> None:
    whole = compress(tar(IMAGES))
    cut = whole[: len(whole) * 6 // 10] if compress is not bytes else tar(IMAGES)[:9000]
    result = tables({"a.tar": cut, "b.tar": whole})
    before = [key for key in keys(result) if key.startswith("a.tar/")]
    assert before == [f"a.tar/{name}" for name in IMAGES][: len(before)]
    assert [key for key in keys(result) if key.startswith("b.tar/")] == [f"b.tar/{name}" for name in IMAGES]
    assert result.reasons() == {"a.tar": ("read", "Truncated")}


def test_a_damaged_archive_is_one_row_of_the_quarantine(tables: Callable[..., Tables]) -> None:
    compressed = bytearray(gzip.compress(tar(IMAGES)))
    compressed[len(compressed) // 2] ^= 0xFF
    files = {"a.tar.gz": bytes(compressed), "b.tar": tar(IMAGES) + b"x" * 512, "c.tar": b"<html>" * 200, "d.tar": b""}
    result = tables(files)
    assert [key for key in keys(result) if key.startswith("b.tar/")] == [f"b.tar/{name}" for name in IMAGES]
    assert result.reasons() == {
        "a.tar.gz": ("read", "Damaged"),
        "b.tar": ("read", "Damaged"),
        "c.tar": ("read", "Unsupported"),
        "d.tar": ("read", "Empty"),
    }


def test_zip_archives_are_read(tables: Callable[..., Tables]) -> None:
    members = [("a/x.jpg", FIRST), ("a/x.jpg", FIRST), ("y", FIRST), ("__MACOSX/._x.jpg", b"x"), ("labels.txt", b"1")]
    whole = zipped(members)
    damaged = bytearray(zipped([("x.jpg", FIRST), ("y.jpg", FIRST)], zipfile.ZIP_STORED))
    damaged[damaged.index(FIRST) + 700] ^= 0xFF
    cut = zipped([("x.jpg", FIRST), ("y.jpg", FIRST)], zipfile.ZIP_DEFLATED)[:-400]
    result = tables({"a.zip": whole, "b.zip": bytes(damaged), "c.zip": cut, "d.zip": whole[:10]})
    read = {key for key in keys(result) if not key.startswith("c.zip/")}
    assert read == {"a.zip/a/x.jpg", "a.zip/a/x.jpg#1", "a.zip/y", "b.zip/y.jpg"}
    assert "c.zip/x.jpg" in keys(result)
    assert result.reasons() == {
        "b.zip/x.jpg": ("read", "Damaged"),
        "c.zip": ("read", "Truncated"),
        "d.zip": ("read", "Truncated"),
    }


def test_tfrecords_are_read_and_their_labels_carried(tables: Callable[..., Tables]) -> None:
    records = [
        example({"image/encoded": [data], "image/filename": [name.encode()], "label": [7], "box": [0.5, 1.0]})
        for name, data in IMAGES.items()
    ]
    plain = tfrecord(records)
    damaged = bytearray(plain)
    damaged[len(tfrecord(records[:1])) + 200] ^= 0xFF  # in the second record
    unnamed = tfrecord([example({"jpg_data": [FIRST], "label": [1]})])
    files = {
        "train-00000-of-00002": plain,
        "b.tfrecord.gz": gzip.compress(plain),
        "c.tfrecord": bytes(damaged),
        "d.tfrecord": plain[:-100],
        "e.tfrecords": unnamed,
    }
    result = tables(files, carry=["label", "box"])
    rows = {row["key"]: (row["label"], row["box"]) for row in result.rows}
    for file in ("train-00000-of-00002", "b.tfrecord.gz"):
        assert {key for key in rows if key.startswith(f"{file}/")} == {f"{file}/{name}" for name in IMAGES}
    assert rows["b.tfrecord.gz/000.jpg"] == ("7", "[0.5, 1.0]")
    assert rows["e.tfrecords/0"] == ("1", None)
    assert len([key for key in rows if key.startswith("c.")]) == len([key for key in rows if key.startswith("d.")]) == 3
    assert result.reasons() == {"c.tfrecord/1": ("read", "Damaged"), "d.tfrecord": ("read", "Truncated")}


def test_a_source_without_files_of_the_format_says_what_it_has(run: Callable[..., Any]) -> None:
    outcome = run({"a.jpg": FIRST, "b.jpg": FIRST, "c.txt": b"x"}, format="tar")
    assert outcome.failure.class_ == "SourceEmpty"
    assert "of another format than spec.source.packed.format: 3" in outcome.failure.message
    assert ".jpg (2), .txt (1)" in outcome.failure.message


def test_content_of_another_format_than_the_resource_says_is_named(run: Callable[..., Any]) -> None:
    outcome = run({"a.tar": zipped([("a.jpg", FIRST)])}, format="tar")
    assert outcome.failure.class_ == "SourceNotSupported"
    assert "set spec.source.packed.format to zip or auto" in outcome.failure.message
