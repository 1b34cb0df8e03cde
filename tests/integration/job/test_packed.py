"""Files that hold many images: tar archives with labels, SequenceFiles, and Parquet columns."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from py4j.java_gateway import JavaGateway

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec, Tables, rows_of_bucket, rows_of_folder
from tests.integration.job.store import Store
from tests.support.packed_files import zipped
from tests.support.stores.java import gateway

IMAGES = {f"{number:03}.jpg": drawings.encoded(drawings.scene(seed=number)) for number in range(10)}


def spec_of(folder: Path, tiny: Spec, **settings: Any) -> Spec:
    source = {"files": {"uri": f"file://{folder}/in"}, "packed": settings}
    return {
        "source": source,
        **tiny,
        "output": {"uri": f"file://{folder}/table"},
        "errors": {"maxFailedFraction": 1},
        "limits": {"mebibytes": 1},
    }


@pytest.fixture(scope="module")
def plain(runner: Runner, tiny: Spec, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Features of the same images stored as separate files."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "in").mkdir()
    for name, data in IMAGES.items():
        (folder / "in" / name).write_bytes(data)
    source = {"files": {"uri": f"file://{folder}/in"}}
    spec = {"source": source, **tiny, "output": {"uri": f"file://{folder}/table"}}
    assert runner.run(spec, uid="plain").failure is None
    return {row["key"]: row["feature"] for row in rows_of_folder(folder / "table").rows}


def archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def features(tables: Tables, file: str) -> dict[str, Any]:
    """Features of the images in a packed file, by name within the file."""
    by_key = {row["key"]: row["feature"] for row in tables.rows}
    return {key.removeprefix(f"{file}/"): feature for key, feature in by_key.items() if key.startswith(f"{file}/")}


def test_images_are_read_from_archives_that_also_contain_labels(
    runner: Runner, store: Store, tiny: Spec, plain: dict[str, Any]
) -> None:
    labels = {name.replace("jpg", "json"): b'{"label": "shoe"}' for name in IMAGES}
    labelled = labels | IMAGES | {"large.jpg": bytes(2 << 20), "broken.jpg": b"no image"}
    store.put("packed", {"in/a.tar": archive(labelled), "in/b.tar": archive(IMAGES), "in/readme.txt": b"text"})
    access = {"endpoint": store.endpoint, "secretRef": {"name": "store"}}
    spec = spec_of(Path("/"), tiny, format="tar") | {"output": {"uri": "s3://packed/table"}}
    headers = {"x-amz-expected-bucket-owner": "123456789012"}  # which this store ignores
    bucket = {**access, "bucket": "packed", "prefix": "in/", "headers": headers}
    spec["source"] = {"s3": bucket, "packed": {"format": "tar"}}
    outcome = runner.run(spec, uid="tar")
    assert outcome.failure is None, outcome.failure
    tables = rows_of_bucket(store, "packed", "table")
    assert features(tables, "in/a.tar") == features(tables, "in/b.tar") == plain
    assert tables.reasons() == {
        "in/a.tar/broken.jpg": ("decode", "NotAnImage"),
        "in/a.tar/large.jpg": ("read", "TooLarge"),
    }
    assert outcome.progress is not None
    assert outcome.progress.images_total == 2 * len(IMAGES) + 2


def test_images_are_read_from_a_parquet_column(
    runner: Runner, tiny: Spec, plain: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    columns = {"name": list(IMAGES), "jpeg": list(IMAGES.values()), "label": [1] * len(IMAGES)}
    table = arrow.table({**columns, "more": [None] * len(IMAGES)})
    parquet.write_table(table, tmp_path / "in" / "part-0.parquet", row_group_size=3)
    (tmp_path / "in" / "_SUCCESS").write_bytes(b"")
    spec = spec_of(tmp_path, tiny, format="parquet", nameColumn="name", contentColumn="jpeg")
    outcome = runner.run(spec, uid="parquet")
    assert outcome.failure is None, outcome.failure
    assert features(rows_of_folder(tmp_path / "table"), "part-0.parquet") == plain


def test_only_files_of_a_delta_tables_latest_version_are_read(
    runner: Runner, tiny: Spec, plain: dict[str, Any], tmp_path: Path
) -> None:
    def rows(images: dict[str, bytes]) -> arrow.Table:
        return arrow.table({"name": list(images), "jpeg": list(images.values())})

    folder = str(tmp_path / "in")
    deltalake.write_deltalake(folder, rows({"deleted.jpg": b"no image", **IMAGES}))
    deltalake.DeltaTable(folder).delete("name = 'deleted.jpg'")  # its file stays in the folder
    deltalake.write_deltalake(folder, rows({"added.jpg": IMAGES["000.jpg"]}), mode="append")
    deltalake.DeltaTable(folder).create_checkpoint()
    spec = spec_of(tmp_path, tiny, format="delta", nameColumn="name", contentColumn="jpeg")
    outcome = runner.run(spec, uid="delta")
    assert outcome.failure is None, outcome.failure
    tables = rows_of_folder(tmp_path / "table")
    assert {row["key"].split("/")[-1]: row["feature"] for row in tables.rows} == plain | {"added.jpg": plain["000.jpg"]}
    assert tables.quarantine == []


def test_a_delta_table_in_a_bucket_is_read(runner: Runner, store: Store, tiny: Spec, tmp_path: Path) -> None:
    deltalake.write_deltalake(str(tmp_path), arrow.table({"key": ["a.jpg"], "image": [IMAGES["000.jpg"]]}))
    files = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    store.put("delta-source", {f"photos/{name}": data for name, data in files.items()})
    source = {"endpoint": store.endpoint, "bucket": "delta-source", "prefix": "photos", "secretRef": {"name": "store"}}
    source["headers"] = {"x-amz-expected-bucket-owner": "123456789012"}
    spec = spec_of(tmp_path, tiny) | {"source": {"s3": source, "packed": {"format": "delta"}}}
    outcome = runner.run(spec | {"output": {"uri": "s3://delta-source/table"}}, uid="delta-bucket")
    assert outcome.failure is None, outcome.failure
    (row,) = rows_of_bucket(store, "delta-source", "table").rows
    assert row["key"].startswith("photos/part-")
    assert row["key"].endswith(".parquet/a.jpg")


def test_a_delta_table_is_not_mistaken_for_a_folder_of_parquet_files(
    runner: Runner, tiny: Spec, tmp_path: Path
) -> None:
    deltalake.write_deltalake(str(tmp_path / "in"), arrow.table({"key": ["a"], "image": [b"x"]}))
    outcome = runner.run(spec_of(tmp_path, tiny, format="parquet"), uid="delta-as-parquet")
    assert outcome.failure is not None
    assert outcome.failure.class_ == "SourceNotSupported"
    assert "set packed.format to delta" in outcome.failure.message


def test_a_folder_that_is_not_a_delta_table_is_reported(runner: Runner, tiny: Spec, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    outcome = runner.run(spec_of(tmp_path, tiny, format="delta"), uid="no-delta")
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == ("SourceNotFound", False)
    assert "Delta" in outcome.failure.message


def test_a_missing_column_is_named(runner: Runner, tiny: Spec, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    parquet.write_table(arrow.table({"key": ["a"], "photo": [b"x"]}), tmp_path / "in" / "part-0.parquet")
    outcome = runner.run(spec_of(tmp_path, tiny, format="parquet", contentColumn="image"), uid="no-column")
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == ("SourceNotSupported", False)
    assert "has no column image; its columns are key (string), photo (binary)" in outcome.failure.message


@pytest.fixture(scope="module")
def hadoop() -> Iterator[JavaGateway]:
    """A JVM with Hadoop, which writes SequenceFiles."""
    with gateway() as started:
        yield started


@pytest.mark.parametrize("compression", ["NONE", "BLOCK"])
def test_images_are_read_from_a_sequence_file(
    runner: Runner, tiny: Spec, plain: dict[str, Any], hadoop: JavaGateway, tmp_path: Path, compression: str
) -> None:
    write_sequence_file(hadoop, tmp_path / "in" / "images", compression)
    outcome = runner.run(spec_of(tmp_path, tiny, format="sequenceFile"), uid="sequence")
    assert outcome.failure is None, outcome.failure
    assert features(rows_of_folder(tmp_path / "table"), "images") == plain


def test_the_images_before_a_cut_in_a_sequence_file_are_rows(
    runner: Runner, tiny: Spec, hadoop: JavaGateway, tmp_path: Path
) -> None:
    whole, cut = tmp_path / "in" / "a", tmp_path / "in" / "b"
    write_sequence_file(hadoop, whole, "NONE")
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (tmp_path / "in" / "c").write_bytes(b"SEQ\x06" + b"x" * 100)
    outcome = runner.with_store_timeout(60).run(spec_of(tmp_path, tiny, format="sequenceFile"), uid="cut-sequence")
    assert outcome.failure is None, outcome.failure
    tables = rows_of_folder(tmp_path / "table")
    assert 0 < len(features(tables, "b")) < len(IMAGES) == len(features(tables, "a"))
    assert tables.reasons()["b"] == ("read", "Truncated")
    assert tables.reasons()["c"][1] in {"Truncated", "Damaged"}


def write_sequence_file(jvm_gateway: JavaGateway, path: Path, compression: str) -> None:
    hadoop = jvm_gateway.jvm.org.apache.hadoop
    io_, writer = hadoop.io, hadoop.io.SequenceFile.Writer
    text, content = (
        jvm_gateway.jvm.java.lang.Class.forName(f"org.apache.hadoop.io.{name}") for name in ("Text", "BytesWritable")
    )
    settings = [
        writer.file(hadoop.fs.Path(f"file://{path}")),
        writer.keyClass(text),
        writer.valueClass(content),
        writer.compression(getattr(io_.SequenceFile.CompressionType, compression)),
    ]
    options = jvm_gateway.new_array(writer.Option, len(settings))
    for index, setting in enumerate(settings):
        options[index] = setting
    file = io_.SequenceFile.createWriter(hadoop.conf.Configuration(), options)
    for name, data in IMAGES.items():
        file.append(io_.Text(name), io_.BytesWritable(bytearray(data)))
    file.close()


def test_a_source_without_files_of_the_format_says_what_it_has(runner: Runner, tiny: Spec, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.jpg", "b.jpg", "c.txt"):
        (tmp_path / "in" / name).write_bytes(IMAGES["000.jpg"])
    failure = runner.run(spec_of(tmp_path, tiny, format="tar"), uid="other").failure
    assert failure is not None
    assert failure.class_ == "SourceEmpty"
    assert "of another format than spec.source.packed.format: 3" in failure.message
    assert ".jpg (2), .txt (1)" in failure.message


def test_content_of_another_format_than_the_resource_says_is_named(runner: Runner, tiny: Spec, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.tar").write_bytes(zipped([("a.jpg", IMAGES["000.jpg"])]))
    failure = runner.run(spec_of(tmp_path, tiny, format="tar"), uid="zip").failure
    assert failure is not None
    assert failure.class_ == "SourceNotSupported"
    assert "set spec.source.packed.format to zip or auto" in failure.message


def test_of_several_columns_the_only_one_of_a_usual_name_is_chosen_whatever_its_case(
    runner: Runner, tiny: Spec, tmp_path: Path
) -> None:
    kind = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
    image = arrow.array([{"bytes": IMAGES["000.jpg"], "path": "a.jpg"}], kind)
    mask = arrow.array([{"bytes": b"no image", "path": "mask.png"}], kind)
    (tmp_path / "in").mkdir()
    parquet.write_table(arrow.table({"Mask": mask, "Image": image}), tmp_path / "in/a.parquet")
    parquet.write_table(arrow.table({"IMAGE": image, "content": mask}), tmp_path / "in/b.parquet")
    parquet.write_table(arrow.table({"image": image, "Image": mask}), tmp_path / "in/c.parquet")
    assert runner.run(spec_of(tmp_path, tiny), uid="columns").failure is None
    result = rows_of_folder(tmp_path / "table")
    assert sorted(row["key"] for row in result.rows) == ["a.parquet/a.jpg", "b.parquet/a.jpg"]
    assert result.reasons() == {"c.parquet": ("read", "Unsupported")}


MEMBERS = {f"{name}.jpg": IMAGES["000.jpg"] for name in ("./a/X", "a/b/x", "b", "a/ÉTÉ[z-a]")} | {"a/x.json": b"{}"}


@pytest.mark.parametrize(
    ("glob", "names"),
    [
        ("A/*.jpg", ["./a/X.jpg", "a/ÉTÉ[z-a].jpg"]),
        ("{été[[]z-a],x}.jpg", ["./a/X.jpg", "a/b/x.jpg", "a/ÉTÉ[z-a].jpg"]),
        ("[[:odd:]z-a]*.jpg", []),
    ],
)
def test_members_are_selected_by_the_globs_of_include(
    runner: Runner, tiny: Spec, tmp_path: Path, glob: str, names: list[str]
) -> None:
    files = {"a.tar": archive(MEMBERS), "b.zip": zipped(list(MEMBERS.items()))}
    (tmp_path / "in").mkdir()
    for name, data in files.items():
        (tmp_path / "in" / name).write_bytes(data)
    outcome = runner.run(spec_of(tmp_path, tiny, members=glob), uid="members")
    if names:
        assert outcome.failure is None, outcome.failure
        keys = {row["key"] for row in rows_of_folder(tmp_path / "table").rows}
        assert keys == {f"{file}/{name}" for file in files for name in names}
    else:
        assert outcome.failure is not None
        assert outcome.failure.class_ == "SourceEmpty"
        assert "spec.source.packed.members" in outcome.failure.message
