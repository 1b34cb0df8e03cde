"""Data sets as people publish them: every image is a row, and whatever cannot be read is said."""

from __future__ import annotations

import base64
import bz2
import datetime
import decimal
import gzip
import lzma
import random
import shlex
import subprocess
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
from tests.support.packed_files import claims_too_much, example, tar, tfrecord, unicode_path, zipped, zipped_bytes

IMAGES = {f"{number:03}.jpg": drawings.encoded(drawings.scene(seed=number)) for number in range(4)}
FIRST = IMAGES["000.jpg"]
BINARY, TEXT = arrow.binary(), arrow.string()
DAY = datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
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
    later = {"image": hugging_face(["z.jpg"], [FIRST]), "absent": ["there"]}
    files["data/validation-00000-of-00001.parquet"] = table_file(later)
    result = tables(files, carry=["label", "weight", "caption", "absent"])
    file = "data/train-00000-of-00001.parquet"
    carried = {row["key"]: (row["label"], row["weight"], row["caption"], row["absent"]) for row in result.rows}
    assert carried == {
        f"{file}/a.jpg": ("7", "0.5", "ä", None),
        f"{file}/1": ("8", "0.5", "b", None),
        f"{file}/a.jpg#2": (None, "0.5", "c", None),
        "data/validation-00000-of-00001.parquet/z.jpg": (None, None, None, "there"),
    }
    assert result.reasons() == {f"{file}/b.jpg": ("read", "Empty")}
    assert "label" in deltalake.DeltaTable(str(tmp_path / "table")).to_pyarrow_table().column_names


def test_values_are_carried_as_people_write_them(tables: Callable[..., Tables]) -> None:
    columns: dict[str, tuple[Any, arrow.DataType | None, str]] = {
        "price": (decimal.Decimal("1.50"), None, "1.50"),
        "day": (DAY.date(), None, "2024-01-02"),
        "time": (DAY, None, "2024-01-02T03:04:05.000000+0000"),
        "yes": (True, None, "true"),
        "large": (2**64 - 1, arrow.uint64(), "18446744073709551615"),
        "tags": (["a", "b"], None, '["a","b"]'),
        "box": ([0.5, None], None, "[0.5,null]"),
        "nested": ({"a": 1, "b": [{"c": "ä"}], "d": None}, None, '{"a":1,"b":[{"c":"ä"}],"d":null}'),
        "bytes": (b"cat", BINARY, "cat"),
    }
    data = {name: arrow.array([value], type_) for name, (value, type_, _) in columns.items()}
    image = arrow.array([FIRST], BINARY)
    result = tables({"a.parquet": table_file({"image": image, **data})}, carry=list(columns), contentColumn="image")
    (row,) = result.rows
    assert {name: row[name] for name in columns} == {name: text for name, (_, _, text) in columns.items()}


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "zstd", "lz4", "brotli"])
def test_parquet_is_read_in_every_codec(tables: Callable[..., Tables], codec: str) -> None:
    columns = {"id": list(range(len(IMAGES))), "picture": arrow.array(IMAGES.values(), BINARY)}
    result = tables({"data.parq": table_file(columns, compression=codec), "part-0": table_file(columns)})
    assert keys(result) == sorted(
        f"{file}/{number}" for file in ("data.parq", "part-0") for number in range(len(IMAGES))
    )


def test_columns_may_have_blanks_in_their_names(tables: Callable[..., Tables]) -> None:
    columns = {"my image / é": arrow.array([FIRST], BINARY), "product id": ["p1"]}
    result = tables({"a.parquet": table_file(columns)}, nameColumn="product id")
    assert keys(result) == ["a.parquet/p1"]


def test_images_of_one_length_may_be_a_column_of_that_length(tables: Callable[..., Tables]) -> None:
    fixed = arrow.array([FIRST, FIRST], arrow.binary(len(FIRST)))
    digests = arrow.array([bytes(16)] * 2, arrow.binary(16))
    beside = arrow.array([FIRST, None], BINARY)
    files = {
        "a.parquet": table_file({"picture": fixed}),
        "b.parquet": table_file({"md5": digests, "jpeg": beside}),
        "c.parquet": table_file({"md5": digests, "image": fixed}),
    }
    result = tables(files)
    assert keys(result) == ["a.parquet/0", "a.parquet/1", "b.parquet/0", "c.parquet/0", "c.parquet/1"]
    assert result.reasons() == {"b.parquet/1": ("read", "Empty")}


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


def test_a_file_that_claims_terabytes_is_one_row_and_the_others_are_read(tables: Callable[..., Tables]) -> None:
    result = tables({"a.tar": tar(IMAGES), **claims_too_much(1 << 40)})
    assert keys(result) == [f"a.tar/{name}" for name in IMAGES]
    assert result.reasons() == {
        "claims.parquet": ("read", "Unsupported"),
        "claims.seq": ("read", "Unsupported"),
        "claims.tar": ("read", "Unsupported"),
        "claims.tfrecord": ("read", "Truncated"),
    }


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


def test_an_xz_that_is_cut_in_a_chunk_loses_only_that_chunk(tables: Callable[..., Tables]) -> None:
    chunk, size = 64 << 10, 12_000
    images = {f"{number:03}.jpg": FIRST + random.Random(number).randbytes(size) for number in range(30)}
    whole = lzma.compress(tar(images))  # little but the random bytes is left of each image
    cut = len(whole) - 50_000
    result = tables({"a.tar": whole[:cut]})
    assert keys(result) == [f"a.tar/{name}" for name in images][: len(result.rows)]
    assert len(result.rows) >= (cut - chunk - len(FIRST)) // (size + 500) - 1
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


def test_members_beside_an_image_are_carried_as_webdataset_names_them(tables: Callable[..., Tables]) -> None:
    before = {"a/000.cls": b"7\n", "a/000.JSON": '{"ä": 1}'.encode(), "a/000.jpg": FIRST, "a/000.seg.png": FIRST}
    after = {"a/001.jpg": FIRST, "a/001.cls": b"8", "a/001.meta.txt": b"\xff!", "a/001.npy": b"\0"}
    lone = {"a/002.jpg": FIRST, "a/README": b"x"}
    apart = {"a/003.jpg": FIRST, "a/004.jpg": FIRST, "a/003.cls": b"9"}
    large = {"a/005.jpg": FIRST, "a/005.json": bytes(2 << 20)}
    members = before | after | lone | apart | large
    linked = tar(members, {"a/005.jpg": ("000.jpg", tarfile.SYMTYPE), "b/6.png": ("../a/000.jpg", tarfile.SYMTYPE)})
    appended = linked + tar({"b/6.cls": b"5", "b/7.jpg": FIRST})
    cut = tar({"000.cls": b"1", "000.jpg": FIRST} | IMAGES)[: 3 * 512 + len(FIRST) + 600]
    files = {"a.tar.gz": gzip.compress(appended), "b.zip": zipped(list(members.items())), "c.tar": cut}
    result = tables(files, carry=["cls", "json", "meta.txt"])
    carried = {row["key"]: (row["cls"], row["json"], row["meta.txt"]) for row in result.rows}
    expected = {
        "a/000.jpg": ("7", '{"ä": 1}', None),
        "a/000.seg.png": ("7", '{"ä": 1}', None),
        "a/001.jpg": ("8", None, "\ufffd!"),
        **dict.fromkeys(("a/002.jpg", "a/003.jpg", "a/004.jpg"), (None, None, None)),
    }
    assert carried == {
        **{f"a.tar.gz/{name}": values for name, values in expected.items()},
        **{f"b.zip/{name}": values for name, values in expected.items()},
        "b.zip/a/003.jpg": ("9", None, None),  # its directory tells what is where
        **dict.fromkeys(("a.tar.gz/b/6.png", "a.tar.gz/b/7.jpg"), (None, None, None)),
        "c.tar/000.jpg": ("1", None, None),
    }
    assert result.reasons() == {
        "a.tar.gz/a/005.jpg": ("read", "TooLarge"),
        "a.tar.gz/a/005.jpg#15": ("read", "TooLarge"),
        "b.zip/a/005.jpg": ("read", "TooLarge"),
        "c.tar": ("read", "Truncated"),
    }


def test_names_of_members_stay_their_bytes(tables: Callable[..., Tables]) -> None:
    """Latin-1, UTF-8 and cp437 in one archive; tarfile takes lone surrogates for bytes that are not UTF-8."""
    names = [b"caf\xe9.jpg", "café.jpg".encode(), b"caf\x82.jpg", b"a\nb.jpg", b"\\xE9.jpg", b"l" * 120 + b"\xff.jpg"]
    keys_of = ["caf\\xE9.jpg", "café.jpg", "caf\\x82.jpg", "a\\x0Ab.jpg", "\\x5CxE9.jpg", "l" * 120 + "\\xFF.jpg"]
    texts = {name.decode("utf-8", "surrogateescape"): FIRST for name in names}
    formats = {"u": tarfile.USTAR_FORMAT, "g": tarfile.GNU_FORMAT, "p": tarfile.PAX_FORMAT}
    files = {f"{kind}.tar": tar(texts, format_=format_) for kind, format_ in formats.items() if kind != "u"}
    files["u.tar"] = tar({name: data for name, data in texts.items() if len(name) < 100}, format_=formats["u"])
    files["z.zip"] = zipped_bytes([(name, b"", False) for name in names[:5]], FIRST)
    unicode = unicode_path(b"x.jpg", "größe.jpg")
    files["e.zip"] = zipped_bytes([(b"x.jpg", unicode, False), (b"y.jpg", unicode, False)], FIRST)
    files["f.zip"] = zipped_bytes([("ü.jpg".encode(), b"", True), (b"\xfc.jpg", b"", True)], FIRST)
    result = tables(files)
    expected = [f"{kind}.tar/{key}" for kind in "ugp" for key in (keys_of if kind != "u" else keys_of[:5])]
    expected += [f"z.zip/{key}" for key in keys_of[:5]]
    expected += ["e.zip/größe.jpg", "e.zip/y.jpg", "f.zip/ü.jpg", "f.zip/\\xFC.jpg"]
    assert keys(result) == sorted(expected)
    assert result.reasons() == {}


def test_a_sparse_member_is_whole(tables: Callable[..., Tables], tmp_path: Path) -> None:
    sparse = FIRST[:-2] + bytes(1 << 16) + FIRST[-2:]
    (tmp_path / "0.jpg").write_bytes(b"")
    with (tmp_path / "0.jpg").open("r+b") as file:
        file.write(FIRST[:-2])
        file.seek(1 << 16, 1)
        file.write(FIRST[-2:])
    files = {"plain.tar": tar({"0.jpg": sparse})}
    for name in ("gnu", "pax --sparse-version=0.0", "pax --sparse-version=0.1", "pax --sparse-version=1.0"):
        command = f"tar -S --hole-detection=raw -C {tmp_path} -cf - --format={name} 0.jpg"
        files[f"{len(files)}.tar"] = subprocess.run(shlex.split(command), check=True, capture_output=True).stdout
    result = tables(files)
    assert keys(result) == sorted(f"{name}/0.jpg" for name in files)
    assert len({tuple(row["feature"]) for row in result.rows}) == 1


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
