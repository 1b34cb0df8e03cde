"""Runs on mounted claims: models, images and tables, and links that lead out of a claim."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.job import drawings
from tests.integration.job.runs import DriverProcess, Spec, driver_process, quarantine_of_folder, rows_of_folder
from tests.support.tiny_models import write_tiny_extractor

SECRET = b"hunter2-the-token"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DriverProcess]:
    """A driver with one folder of claims: Hadoop's file systems remember it for as long as their JVM lives."""
    folder = tmp_path_factory.mktemp("driver")
    with driver_process(folder, claims=folder / "claims") as process:
        yield process


@pytest.fixture
def claims(driver: DriverProcess, tmp_path: Path) -> Iterator[Path]:
    """Return the folder of claims with images, links out of them, a model and an output; a Secret is beside it."""
    assert driver.claims is not None
    folder = driver.claims
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "token").write_bytes(SECRET)
    (tmp_path / "outside" / "secret.jpg").write_bytes(drawings.encoded(drawings.scene(seed=9)))
    images = folder / "photos" / "in"
    images.mkdir(parents=True)
    for number in range(3):
        (images / f"{number}.jpg").write_bytes(drawings.encoded(drawings.scene(seed=number)))
    (images / "inside.jpg").symlink_to("../in/0.jpg")
    (images / "absolute.jpg").symlink_to(tmp_path / "outside" / "secret.jpg")
    outside = Path(os.path.relpath(tmp_path / "outside", images))
    (images / "relative.jpg").symlink_to(outside / "secret.jpg")
    (images / "nothing.jpg").symlink_to(outside / "nothing.jpg")
    (images / "folder").symlink_to(outside)
    (images / "process.jpg").symlink_to("/proc/self/environ")
    (folder / "tables").mkdir()
    (folder / "models").mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def spec(claims: Path, tmp_path: Path) -> Spec:
    files = write_tiny_extractor(tmp_path)
    shutil.copy(files.prototxt, claims / "models" / "net.prototxt")
    shutil.copy(files.caffemodel, claims / "models" / "net.caffemodel")
    digest = hashlib.sha256(files.caffemodel.read_bytes()).hexdigest()
    model = {"prototxt": "claim://models/net.prototxt", "weights": "claim://models/net.caffemodel", "sha256": digest}
    return {
        "source": {"claim": {"name": "photos", "path": "in"}},
        "extractor": {"model": model, "layer": "pool"},
        "output": {"uri": "claim://tables/table"},
        "errors": {"maxFailedFraction": 1},
        "execution": {"storeTimeoutSeconds": 3},  # a damaged Delta log is read again for as long as this
    }


def test_links_out_of_a_claim_are_rows_of_the_quarantine_and_nothing_outside_is_read(
    driver: DriverProcess, spec: Spec, claims: Path, tmp_path: Path
) -> None:
    outcome = driver.run(spec, "claims", tmp_path)
    assert outcome["result"] == "Succeeded", outcome
    tables = rows_of_folder(claims / "tables" / "table")
    assert sorted(row["key"] for row in tables.rows) == ["0.jpg", "1.jpg", "2.jpg", "inside.jpg"]
    refused = {f"{name}.jpg" for name in ("absolute", "relative", "nothing", "process")} | {"folder"}
    assert tables.reasons() == dict.fromkeys(refused, ("read", "OutsideClaim"))
    messages = {row["message"] for row in quarantine_of_folder(claims / "tables" / "table")}
    assert messages == {"a link on the file's path leads out of the claim; replace the link by the file"}


def test_a_folder_of_a_claim_is_a_source_by_its_address_too(
    driver: DriverProcess, spec: Spec, claims: Path, tmp_path: Path
) -> None:
    (claims / "tables" / "photos").symlink_to("../photos/in")
    outcome = driver.run(spec | {"source": {"files": {"uri": "claim://photos/in"}}}, "address", tmp_path)
    assert outcome["result"] == "Succeeded", outcome
    assert len(rows_of_folder(claims / "tables" / "table").rows) == 4


@pytest.mark.parametrize(
    ("planted", "format_"),
    [
        ("table", "delta"),
        ("table", "parquet"),
        ("table/_featx", "delta"),
        ("table/_featx", "parquet"),
        ("table/_delta_log", "delta"),
    ],
)
def test_a_link_planted_in_the_output_makes_the_run_write_nothing_outside(
    planted: str, format_: str, driver: DriverProcess, spec: Spec, claims: Path, tmp_path: Path
) -> None:
    link = claims / "tables" / planted
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(tmp_path / "outside")
    output = {"uri": "claim://tables/table", "format": format_}
    outcome = driver.run(spec | {"output": output}, "planted", tmp_path)
    assert outcome["failure"]["class"] == "PathNotAllowed"
    assert outcome["failure"]["message"].startswith("spec.output.uri: claim://tables/table is not inside")
    assert sorted(path.name for path in (tmp_path / "outside").iterdir()) == ["secret.jpg", "token"]


@pytest.mark.parametrize("format_", ["tar", "parquet", "sequenceFile", "delta"])
def test_a_packed_file_that_is_a_link_out_of_its_claim_ends_the_run_by_name(
    format_: str, driver: DriverProcess, spec: Spec, claims: Path, tmp_path: Path
) -> None:
    name = {"tar": "images.tar", "parquet": "part-0.parquet", "sequenceFile": "images"}.get(format_, "_delta_log")
    folder = claims / "photos" / "packed"
    folder.mkdir()
    (tmp_path / "outside" / "images.tar").write_bytes(archive())
    target = tmp_path / "outside"
    (folder / name).symlink_to(target if format_ == "delta" else target / "images.tar")
    source = {"claim": {"name": "photos", "path": "packed"}, "packed": {"format": format_}}
    outcome = driver.run(spec | {"source": source}, "packed", tmp_path)
    assert outcome["failure"]["class"] == "PathNotAllowed"
    assert "link" in outcome["failure"]["message"]


def archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info, data = tarfile.TarInfo("a.jpg"), drawings.encoded(drawings.scene())
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


MARKED: dict[str, dict[str, bytes]] = {
    "tar": {"images.tar": SECRET, "b.tar": SECRET * 100},
    "parquet": {"part-0.parquet": SECRET, "part-1.parquet": b"PAR1" + SECRET + b"PAR1"},
    "sequenceFile": {"images": SECRET, "b": b"SEQ\x06\x07" + SECRET, "c": b"SEQ\x06\x04java\x07" + SECRET},
    "delta": {
        "_delta_log/00000000000000000000.json": SECRET,
        "_delta_log/_last_checkpoint": SECRET,
    },
}


@pytest.mark.parametrize(("format_", "name"), [(format_, name) for format_, files in MARKED.items() for name in files])
def test_a_packed_file_of_another_format_is_not_quoted(
    format_: str, name: str, driver: DriverProcess, spec: Spec, claims: Path, tmp_path: Path
) -> None:
    file = claims / "photos" / "packed" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(MARKED[format_][name])
    source: dict[str, Any] = {"claim": {"name": "photos", "path": "packed"}, "packed": {"format": format_}}
    outcome = driver.run(spec | {"source": source}, "marked", tmp_path)
    text = str(outcome) + driver.log_file.read_text()
    assert "hunter2" not in text
    assert "104, 117" not in text  # the same bytes as numbers
