"""Images in a real HBase: which rows are read, how large regions are split, which outages a run survives."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.integration.job import drawings
from tests.integration.job.hbase_runs import keys, spec_of
from tests.integration.job.runs import Runner, Spec, rows_of_folder
from tests.support.stores import hbase
from tests.support.stores.hbase import HBase

ROWS = 90


@pytest.fixture(scope="module")
def server(hbase_server: HBase) -> HBase:
    return hbase_server


@pytest.fixture(scope="module")
def catalog(server: HBase) -> dict[str, bytes]:
    """Images by row key, in a table of three regions."""
    images = {f"img-{number:04}": drawings.encoded(drawings.scene(seed=number)) for number in range(ROWS)}
    server.client.create("catalog", [b"img-0030", b"img-0060"])
    server.client.put("catalog", {row.encode(): data for row, data in images.items()})
    server.client.put("catalog", {b"img-none": b"no image", b"\x00\xff": images["img-0000"]})
    server.client.flush("catalog")
    return images


def test_each_row_is_read_once_and_matches_the_same_image_in_a_file(
    runner: Runner, server: HBase, catalog: dict[str, bytes], tiny: Spec, tmp_path: Path
) -> None:
    outcome = runner.run(spec_of(server, tiny, tmp_path / "table"), uid="all")
    assert outcome.failure is None, outcome.failure
    tables = rows_of_folder(tmp_path / "table")
    assert keys(tables) == sorted([*catalog, "\\x00\\xFF"])
    assert tables.reasons() == {"img-none": ("decode", "NotAnImage")}
    assert outcome.progress is not None
    assert (outcome.progress.images_total, outcome.progress.percent) == (ROWS + 2, 100)
    (tmp_path / "files").mkdir()
    for row, data in catalog.items():
        (tmp_path / "files" / row).write_bytes(data)
    source = {"files": {"uri": f"file://{tmp_path}/files"}}
    spec = {"source": source, **tiny, "output": {"uri": f"file://{tmp_path}/same"}}
    assert runner.run(spec, uid="same").failure is None
    same = {row["key"]: row for row in rows_of_folder(tmp_path / "same").rows}
    assert {row["key"]: row for row in tables.rows if row["key"] in same} == same


def test_a_large_region_is_split_into_shards_of_about_the_requested_size(
    runner: Runner, server: HBase, tiny: Spec, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(
        0, 255, (240, 240, 3), np.uint8
    )  # HBase reports region sizes in megabytes
    server.client.create("long")
    server.client.put(
        "long", dict.fromkeys((f"shop/{number:05}".encode() for number in range(256)), drawings.encoded(noise))
    )
    server.client.flush("long")
    spec = spec_of(server, tiny, tmp_path / "table", "long", shard=16)
    spec["output"]["format"] = "parquet"  # a file per shard
    outcome = runner.run(spec, uid="cut")
    assert outcome.failure is None, outcome.failure
    manifest = json.loads((tmp_path / "table" / "_manifest.json").read_text())
    rows = [file["rows"] for file in manifest["files"]]
    assert sum(rows) == 256
    assert 16 <= len(rows) <= 24
    assert max(rows) <= 2 * 16


def test_globs_select_rows_by_their_keys_and_the_others_are_counted(
    runner: Runner, server: HBase, catalog: dict[str, bytes], tiny: Spec, tmp_path: Path
) -> None:
    spec = spec_of(server, tiny, tmp_path / "table")
    spec["source"] |= {"include": ["IMG-00[0-4]?", "\\x00*"], "exclude": ["*-003?"]}
    outcome = runner.run(spec, uid="globs")
    assert outcome.failure is None, outcome.failure
    expected = [row for row in catalog if row < "img-0050" and not row.startswith("img-003")]
    assert keys(rows_of_folder(tmp_path / "table")) == sorted([*expected, "\\x00\\xFF"])
    assert outcome.progress is not None
    assert outcome.progress.files_skipped == ROWS + 2 - len(expected) - 1
    manifest = json.loads((tmp_path / "table" / "_manifest.json").read_text())
    assert manifest["source"]["skipped"] == {"notSelected": outcome.progress.files_skipped}


def test_globs_that_select_no_row_fail_the_run(
    runner: Runner, server: HBase, catalog: dict[str, bytes], tiny: Spec, tmp_path: Path
) -> None:
    spec = spec_of(server, tiny, tmp_path / "table")
    spec["source"] |= {"include": ["*.jpg"]}
    outcome = runner.run(spec, uid="none")
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == ("SourceEmpty", False)
    assert f"none of {ROWS + 2} rows of catalog" in outcome.failure.message


@pytest.mark.parametrize(
    ("settings", "first", "last"),
    [
        ({"prefix": "img-004"}, 40, 49),
        ({"startRow": "img-0028", "stopRow": "img-0063"}, 28, 62),
        ({"prefix": "img-00", "startRow": "img-0085"}, 85, 89),
    ],
)
def test_only_the_requested_rows_are_read(
    runner: Runner,
    server: HBase,
    catalog: dict[str, bytes],
    tiny: Spec,
    tmp_path: Path,
    settings: dict[str, Any],
    first: int,
    last: int,
) -> None:
    outcome = runner.run(spec_of(server, tiny, tmp_path / "table", **settings), uid="some")
    assert outcome.failure is None, outcome.failure
    assert keys(rows_of_folder(tmp_path / "table")) == [f"img-{number:04}" for number in range(first, last + 1)]


def test_salted_rows_are_selected_by_the_part_after_the_salt(
    runner: Runner, server: HBase, tiny: Spec, tmp_path: Path
) -> None:
    image = drawings.encoded(drawings.scene())
    server.client.create("salted", [b"\x01", b"\x02"])
    rows = [bytes([number % 3]) + f"shop-{number % 2}/{number:02}".encode() for number in range(12)]
    server.client.put("salted", dict.fromkeys(rows, image))
    salts = ["\\x00", "\\x01", "\\x02"]
    spec = spec_of(server, tiny, tmp_path / "table", "salted", salts=salts, prefix="shop-1")
    assert runner.run(spec, uid="salted").failure is None
    wanted = [f"\\x{number % 3:02X}shop-1/{number:02}" for number in range(1, 12, 2)]
    assert keys(rows_of_folder(tmp_path / "table")) == sorted(wanted)


def test_cells_are_selected_by_timestamp(runner: Runner, server: HBase, tiny: Spec, tmp_path: Path) -> None:
    image = drawings.encoded(drawings.scene())
    server.client.create("timed")
    for hour in range(4):
        moment = datetime(2026, 11, 1, hour, tzinfo=UTC)
        server.client.put("timed", {f"at-{hour}".encode(): image}, time=int(moment.timestamp() * 1000))
    times: dict[str, Any] = {"since": "2026-11-01T01:00:00Z", "until": "2026-11-01T03:00:00Z"}
    assert runner.run(spec_of(server, tiny, tmp_path / "table", "timed", **times), uid="timed").failure is None
    assert keys(rows_of_folder(tmp_path / "table")) == ["at-1", "at-2"]


def test_an_empty_hbase_table_yields_an_empty_table_only_if_it_is_read_for_a_time(
    runner: Runner, server: HBase, tiny: Spec, tmp_path: Path
) -> None:
    server.client.create("empty", [b"m"])
    failure = runner.run(spec_of(server, tiny, tmp_path / "refused", "empty"), uid="refused").failure
    assert failure is not None and failure.class_ == "SourceEmpty"
    assert failure.message.startswith("spec.source.hbase: empty has no image in column ")
    spec = spec_of(server, tiny, tmp_path / "table", "empty")
    spec["source"]["hbase"]["since"] = "2026-01-01T00:00:00Z"
    outcome = runner.run(spec, uid="empty")
    assert outcome.failure is None
    assert keys(rows_of_folder(tmp_path / "table")) == []


def test_a_cell_over_the_size_limit_is_quarantined(runner: Runner, server: HBase, tiny: Spec, tmp_path: Path) -> None:
    server.client.create("large")
    server.client.put("large", {b"large": b"\xff\xd8" + bytes(2 << 20), b"small": drawings.encoded(drawings.scene())})
    spec = spec_of(server, tiny, tmp_path / "table", "large") | {"limits": {"mebibytes": 1}}
    assert runner.run(spec, uid="large").failure is None
    tables = rows_of_folder(tmp_path / "table")
    assert (keys(tables), tables.reasons()) == (["small"], {"large": ("read", "TooLarge")})


def test_listed_keys_select_the_rows_to_read(
    runner: Runner, server: HBase, catalog: dict[str, bytes], tiny: Spec, tmp_path: Path
) -> None:
    spec = spec_of(server, tiny, tmp_path / "table", shard=2)
    spec["source"]["keys"] = ["img-0007", "\\x00\\xFF", "img-0061"]
    assert runner.run(spec, uid="again").failure is None
    assert keys(rows_of_folder(tmp_path / "table")) == sorted(spec["source"]["keys"])


@pytest.mark.parametrize(
    ("given", "named"),
    [({"table": "catalogue"}, "catalogue"), ({"column": "q:jpg"}, "no column family q")],
)
def test_a_missing_table_or_column_family_is_named(
    runner: Runner,
    server: HBase,
    catalog: dict[str, bytes],
    tiny: Spec,
    tmp_path: Path,
    given: dict[str, str],
    named: str,
) -> None:
    spec = spec_of(server, tiny, tmp_path / "table")
    spec["source"]["hbase"] |= given
    outcome = runner.run(spec, uid="named")
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == ("SourceNotFound", False)
    assert "spec.source.hbase" in outcome.failure.message and named in outcome.failure.message


def test_an_unreachable_hbase_is_retryable(runner: Runner, tiny: Spec, tmp_path: Path) -> None:
    source = {"quorum": "127.0.0.1:9", "table": "catalog", "column": "p:jpg"}
    spec = {"source": {"hbase": source}, **tiny, "output": {"uri": f"file://{tmp_path}/table"}}
    started = time.monotonic()
    outcome = runner.run(spec, uid="gone")
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == ("StoreUnreachable", True), outcome.failure
    assert "spec.source.hbase" in outcome.failure.message and "127.0.0.1:9" in outcome.failure.message
    assert time.monotonic() - started < 90


def test_a_region_split_mid_run_loses_no_row(runner: Runner, server: HBase, tiny: Spec, tmp_path: Path) -> None:
    server.client.create("splitting")
    image = drawings.encoded(drawings.scene())
    server.client.put("splitting", {f"{number:04}".encode(): image for number in range(400)})
    server.client.flush("splitting")

    def split_mid_run() -> None:
        while not list((tmp_path / "table").rglob("done/*.json")):
            time.sleep(0.01)
        server.client.split("splitting", b"0200")

    threading.Thread(target=split_mid_run, daemon=True).start()
    patient = runner.with_store_timeout(120)  # a split takes as long as the machine needs
    outcome = patient.run(spec_of(server, tiny, tmp_path / "table", "splitting", shard=20), uid="splitting")
    assert outcome.failure is None, outcome.failure
    assert keys(rows_of_folder(tmp_path / "table")) == [f"{number:04}" for number in range(400)]


def test_a_second_run_reads_only_cells_written_since_the_first(
    runner: Runner, server: HBase, tiny: Spec, tmp_path: Path
) -> None:
    image, long_ago = drawings.encoded(drawings.scene()), int(time.time() * 1000) - 3_600_000
    server.client.create("grows", [b"m"])
    server.client.put("grows", {b"a": image, b"n": image}, long_ago)

    def run(day: str) -> list[str]:
        spec = spec_of(server, tiny, tmp_path / "tables" / day, "grows")
        spec["source"]["changedSince"] = f"file://{tmp_path}/tables"
        assert runner.run(spec, uid=day).failure is None
        return keys(rows_of_folder(tmp_path / "tables" / day))

    assert run("monday") == ["a", "n"]
    server.client.put("grows", {b"a": image, b"z": image})
    assert run("tuesday") == ["a", "z"]


def test_a_run_survives_a_restart_of_hbase_and_reports_what_it_waits_for(
    runner: Runner, tiny: Spec, tmp_path: Path
) -> None:
    (tmp_path / "hbase").mkdir()
    with hbase.running(tmp_path / "hbase") as server:
        server.client.create("outlasts")
        image = drawings.encoded(drawings.scene())
        server.client.put("outlasts", {f"{number:04}".encode(): image for number in range(400)})
        server.client.flush("outlasts")
        down = threading.Event()
        patient = runner.with_store_timeout(120)

        def restart_mid_run() -> None:
            while not list((tmp_path / "table").rglob("done/*.json")):
                time.sleep(0.01)
            server.server.kill()
            down.set()
            while not [report for report in patient.reports if report.waiting and "rows of outlasts" in report.waiting]:
                time.sleep(0.02)
            server.server.start()

        threading.Thread(target=restart_mid_run, daemon=True).start()
        spec = spec_of(server, tiny, tmp_path / "table", "outlasts", shard=20)
        outcome = patient.run(spec, uid="outlasts")
        assert down.is_set(), "killed too late: the run was almost finished"
    assert outcome.failure is None, outcome.failure
    assert keys(rows_of_folder(tmp_path / "table")) == [f"{number:04}" for number in range(400)]
