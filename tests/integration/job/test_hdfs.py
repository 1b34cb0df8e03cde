"""Images and tables in a real HDFS, which may be killed and restarted during a run."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from featx_api.status import Progress
from featx_job import run

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec, Tables, driver_process, job, rows_of_folder, rows_of_hdfs
from tests.support.stores import hdfs
from tests.support.stores.hdfs import Hdfs

IMAGES = 24


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hdfs]:
    with hdfs.running(tmp_path_factory.mktemp("hdfs")) as server:
        for number in range(IMAGES):
            server.put(f"/images/{number % 3}/{number:04}.jpg", drawings.encoded(drawings.scene(seed=number)))
        server.put("/images/.hidden/0000.jpg", b"of another program")
        server.put("/images/0/none.jpg", b"no image")
        yield server


@pytest.fixture(scope="module")
def local_tables(runner: Runner, tiny: Spec, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """The tables of a run over the same images on local disk."""
    folder = tmp_path_factory.mktemp("same")
    for number in range(IMAGES):
        path = folder / "images" / str(number % 3) / f"{number:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(drawings.encoded(drawings.scene(seed=number)))
    source = {"files": {"uri": f"file://{folder}/images"}}
    spec = {"source": source, **tiny, "output": {"uri": f"file://{folder}/table"}}
    assert runner.run(spec, uid="same").failure is None
    return rows_of_folder(folder / "table")


def spec_of(files: Hdfs, tiny: Spec, table: str, folder: str = "images") -> Spec:
    return {
        "source": {"files": {"uri": f"{files.uri}/{folder}"}},
        **tiny,
        "output": {"uri": f"{files.uri}/{table}"},
        "errors": {"maxFailedFraction": 1},
        "execution": {"shardImages": 4},
    }


def test_a_table_in_hdfs_equals_one_of_the_same_local_images(
    runner: Runner, files: Hdfs, tiny: Spec, local_tables: Tables
) -> None:
    outcome = runner.run(spec_of(files, tiny, "tables/first"), uid="first")
    assert outcome.failure is None, outcome.failure
    tables = rows_of_hdfs(files, "/tables/first")
    assert sorted(tables.rows, key=lambda row: str(row["key"])) == sorted(
        local_tables.rows, key=lambda row: str(row["key"])
    )
    assert tables.reasons() == {"0/none.jpg": ("decode", "NotAnImage")}
    assert outcome.outputs[0].record_count == IMAGES
    remaining = [path for path in files.files("/tables/first") if "/_featx/" not in path]
    assert "/tables/first/_SUCCESS" in remaining and not [path for path in remaining if "/." in path]


def test_a_finished_run_is_not_repeated_and_other_runs_cannot_use_its_output(
    runner: Runner, files: Hdfs, tiny: Spec
) -> None:
    spec = spec_of(files, tiny, "tables/twice", "images/1")
    assert runner.run(spec, uid="mine").failure is None
    before = files.files("/tables/twice")
    again = runner.run(spec, uid="mine", attempt=2)
    assert again.result == "Succeeded" and files.files("/tables/twice") == before
    other = runner.run(spec, uid="another's")
    assert other.failure is not None and other.failure.class_ == "OutputExists"


@pytest.mark.parametrize("loss", ["missing", "corrupt"])
def test_a_file_whose_block_is_lost_is_a_row_and_nothing_waits_for_it(
    loss: str, runner: Runner, files: Hdfs, tiny: Spec
) -> None:
    lost = drawings.encoded(drawings.scene(seed=77)) + loss.encode()
    for name in ("a.jpg", "c.jpg"):
        files.put(f"/images/{loss}/{name}", drawings.encoded(drawings.scene()))
    files.put(f"/images/{loss}/b.jpg", lost)
    replica = files.replica(lost)
    if loss == "missing":
        replica.unlink()
    else:
        replica.write_bytes(lost[:100] + bytes(100) + lost[200:])
    patient, started = runner.with_store_timeout(120), time.monotonic()
    outcome = patient.run(spec_of(files, tiny, f"tables/{loss}", f"images/{loss}"), uid=loss)
    assert outcome.failure is None, outcome.failure
    tables = rows_of_hdfs(files, f"/tables/{loss}")
    assert sorted(row["key"] for row in tables.rows) == ["a.jpg", "c.jpg"]
    assert tables.reasons() == {"b.jpg": ("read", "Unreadable")}
    assert time.monotonic() - started < 100


def test_a_file_that_its_owner_reads_alone_is_a_row(files: Hdfs, tiny: Spec, tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        files.put(f"/images/private/{name}", drawings.encoded(drawings.scene()))
    files.permit("/images/private/b.jpg", "600")
    spec = spec_of(files, tiny, "unused", "images/private") | {"output": {"uri": f"file://{tmp_path}/table"}}
    spec["execution"]["hadoopUser"] = "somebody"
    with driver_process(tmp_path) as driver:
        outcome = driver.run(spec, "private", tmp_path)
        assert outcome["result"] == "Succeeded", outcome
        tables = rows_of_folder(tmp_path / "table")
        assert [row["key"] for row in tables.rows] == ["a.jpg"]
        assert tables.reasons() == {"b.jpg": ("read", "Refused")}
        files.permit("/images/private/a.jpg", "600")
        spec["output"]["uri"] = f"file://{tmp_path}/none"
        assert driver.run(spec, "none", tmp_path)["failure"]["class"] == "AccessDenied"


def test_an_image_that_grew_after_listing_is_read_completely(runner: Runner, files: Hdfs, tiny: Spec) -> None:
    files.put("/images/grown/one.jpg", drawings.encoded(drawings.scene(160, 120)))

    reports: list[Progress] = []

    def replace(progress: Progress) -> None:
        reports.append(progress)
        if len(reports) == 1:
            files.put("/images/grown/one.jpg", drawings.encoded(drawings.scene(640, 480)))

    spec = spec_of(files, tiny, "tables/grown", "images/grown")
    outcome = run.run(job(spec, "grown"), runner.environment, replace)
    assert outcome.failure is None
    (row,) = rows_of_hdfs(files, "/tables/grown").rows
    assert (row["width"], row["height"]) == (640, 480)


def test_urls_of_a_table_lead_to_its_hdfs(
    runner: Runner, files: Hdfs, tiny: Spec, local_tables: Tables, tmp_path: Path
) -> None:
    files.put("/urls/a b/größe%20.jpg", drawings.encoded(drawings.scene(seed=0)))
    urls = {
        "image": f"{files.uri}/images/1/0001.jpg",
        "name": f"{files.uri}/urls/a b/größe%20.jpg",
        "gone": f"{files.uri}/images/gone.jpg",
        "folder": f"{files.uri}/images/1",
        "other": "hdfs://127.0.0.1:9/images/1/0001.jpg",
    }
    parquet.write_table(arrow.table({"id": list(urls), "url": list(urls.values())}), tmp_path / "urls.parquet")
    files.put("/tables-of-urls/urls.parquet", (tmp_path / "urls.parquet").read_bytes())
    spec = spec_of(files, tiny, "tables/urls", "tables-of-urls")
    spec["source"]["packed"] = {"urlColumn": "url"}
    outcome = runner.run(spec, uid="urls")
    assert outcome.failure is None, outcome.failure
    tables = rows_of_hdfs(files, "/tables/urls")
    features = {row["key"]: row["feature"] for row in tables.rows}
    assert features == {
        "urls.parquet/image": local_tables.row("1/0001.jpg")["feature"],
        "urls.parquet/name": local_tables.row("0/0000.jpg")["feature"],
    }
    reasons = {key.rpartition("/")[2]: reason for key, (_, reason) in tables.reasons().items()}
    assert (reasons["gone"], reasons["other"]) == ("Missing", "Refused")
    assert set(reasons) == {"gone", "folder", "other"}


def test_a_missing_folder_is_named(runner: Runner, files: Hdfs, tiny: Spec) -> None:
    outcome = runner.run(spec_of(files, tiny, "tables/none", "pictues"), uid="none")
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == ("SourceNotFound", False)
    assert "spec.source.files.uri" in outcome.failure.message and "pictues" in outcome.failure.message


def test_an_unreachable_hdfs_is_retryable(runner: Runner, files: Hdfs, tiny: Spec) -> None:
    spec = spec_of(files, tiny, "tables/gone")
    spec["output"] = {"uri": "hdfs://127.0.0.1:9/table"}
    started = time.monotonic()
    outcome = runner.run(spec, uid="gone")
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == ("StoreUnreachable", True), outcome.failure
    assert "spec.output.uri" in outcome.failure.message
    assert time.monotonic() - started < 60


def test_a_run_survives_a_restart_of_hdfs_and_reports_what_it_waits_for(
    runner: Runner, tiny: Spec, tmp_path: Path
) -> None:
    with hdfs.running(tmp_path) as files:
        image = drawings.encoded(drawings.scene())
        for number in range(120):
            files.put(f"/images/{number:04}.jpg", image)
        down = threading.Event()
        patient = runner.with_store_timeout(120)

        def restart_mid_run() -> None:
            while not [path for path in files.files("/") if "/done/" in path]:
                time.sleep(0.02)
            files.server.kill()
            down.set()
            while not [report for report in patient.reports if report.waiting and f"{files.port}" in report.waiting]:
                time.sleep(0.02)
            files.restart()

        threading.Thread(target=restart_mid_run, daemon=True).start()
        spec = spec_of(files, tiny, "table")
        outcome = patient.run(spec, uid="outlasts")
        assert down.is_set(), "killed too late: the run was almost finished"
        assert outcome.failure is None, outcome.failure
        assert [report for report in patient.reports if report.waiting and f"{files.port}" in report.waiting], (
            "no report says why the run is waiting"
        )
        assert patient.reports[-1].waiting is None
        keys = [row["key"] for row in rows_of_hdfs(files, "/table").rows]
        assert sorted(keys) == [f"{number:04}.jpg" for number in range(120)]
