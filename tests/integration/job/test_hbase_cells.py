"""Cells, rows and regions of a real HBase as they are found in practice: each image is a row or in quarantine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.integration.job import drawings
from tests.integration.job.hbase_runs import keys, spec_of
from tests.integration.job.runs import Runner, Spec, rows_of_folder
from tests.support.stores.hbase import HBase

IMAGE = drawings.encoded(drawings.scene())
LARGE = drawings.encoded(np.random.default_rng(1).integers(0, 255, (2200, 2200, 3), np.uint8), ".png")


@pytest.fixture(scope="module")
def server(hbase_server: HBase) -> HBase:
    return hbase_server


def test_cells_without_an_image_are_in_quarantine_and_rows_without_the_column_are_none_of_the_source(
    runner: Runner, server: HBase, tiny: Spec, tmp_path: Path
) -> None:
    server.client.create("sparse")
    server.client.put("sparse", {b"image": IMAGE, b"nothing": b"", b"text": b"see the other column", b"one": b"\xff"})
    server.client.put("sparse", {b"other": IMAGE, b"image": b"a note"}, qualifier="note")
    outcome = runner.run(spec_of(server, tiny, tmp_path / "table", "sparse"), uid="sparse")
    assert outcome.failure is None, outcome.failure
    tables = rows_of_folder(tmp_path / "table")
    assert keys(tables) == ["image"]
    reasons = {key: reason for key, (_, reason) in tables.reasons().items()}
    assert reasons == {"nothing": "Empty", "text": "NotAnImage", "one": "NotAnImage"}


def test_requested_rows_that_have_no_cell_to_read_are_missing(
    runner: Runner, server: HBase, tiny: Spec, tmp_path: Path
) -> None:
    server.client.create("requested", [b"m"])
    server.client.put("requested", {b"here": IMAGE, b"deleted": IMAGE, b"new": IMAGE, b"\x00\xfe": IMAGE})
    server.client.put("requested", {b"other": IMAGE}, qualifier="note")
    server.client.delete("requested", b"deleted")
    spec = spec_of(server, tiny, tmp_path / "table", "requested", shard=2, until="2199-01-01T00:00:00Z")
    spec["source"]["keys"] = ["deleted", "here", "never", "new", "other", "\\x00\\xFE", "\\x00\\xFF"]
    outcome = runner.run(spec, uid="requested")
    assert outcome.failure is None, outcome.failure
    tables = rows_of_folder(tmp_path / "table")
    assert keys(tables) == ["\\x00\\xFE", "here", "new"]
    assert tables.reasons() == dict.fromkeys(["deleted", "never", "other", "\\x00\\xFF"], ("read", "Missing"))


def test_the_newest_version_in_the_requested_time_is_read(
    runner: Runner, server: HBase, tiny: Spec, tmp_path: Path
) -> None:
    server.client.create("versions", versions=5)
    hour = 3_600_000
    for number, width in enumerate((100, 200, 300, 400)):
        server.client.put("versions", {b"a": drawings.encoded(drawings.scene(width, 120))}, time=number * hour)
        server.client.flush("versions")

    def newest(name: str, **times: Any) -> int:
        assert runner.run(spec_of(server, tiny, tmp_path / name, "versions", **times), uid=name).failure is None
        (row,) = rows_of_folder(tmp_path / name).rows
        return int(row["width"])

    assert newest("newest") == 400
    assert newest("before", until="1970-01-01T03:00:00Z") == 300
    assert newest("between", since="1970-01-01T01:00:00Z", until="1970-01-01T02:00:00Z") == 200


@pytest.mark.parametrize("mob", [None, 100_000])
def test_cells_of_more_than_ten_megabytes_are_read(
    mob: int | None, runner: Runner, server: HBase, tiny: Spec, tmp_path: Path
) -> None:
    table = "large-cells" if mob is None else "mob-cells"
    server.client.create(table, mob=mob)
    assert len(LARGE) > 10 << 20
    server.client.put(table, {b"large-1": LARGE, b"small": IMAGE})
    server.client.put(table, {b"large-2": LARGE})
    server.client.flush(table)
    outcome = runner.run(spec_of(server, tiny, tmp_path / "table", table), uid=table)
    assert outcome.failure is None, outcome.failure
    tables = rows_of_folder(tmp_path / "table")
    assert (keys(tables), tables.quarantine) == (["large-1", "large-2", "small"], [])
    assert tables.row("large-1")["feature"] == tables.row("large-2")["feature"]


def test_a_cell_whose_own_file_is_lost_is_a_row_of_the_quarantine(
    runner: Runner, server: HBase, tiny: Spec, tmp_path: Path
) -> None:
    server.client.create("lost-files", mob=100)
    for row in (b"1", b"2", b"3"):
        server.client.put("lost-files", {row: IMAGE, row + b"-too": IMAGE} if row != b"2" else {row: IMAGE})
        server.client.flush("lost-files")
    _, second, _ = sorted(server.mob_files("lost-files"), key=lambda path: path.stat().st_mtime_ns)
    second.unlink()
    patient = runner.with_store_timeout(120)
    outcome = patient.run(spec_of(server, tiny, tmp_path / "table", "lost-files"), uid="lost-files")
    assert outcome.failure is None, outcome.failure
    tables = rows_of_folder(tmp_path / "table")
    assert keys(tables) == ["1", "1-too", "3", "3-too"]
    assert tables.reasons() == {"2": ("read", "Unreadable")}


def test_rows_of_any_bytes_have_keys_that_select_them_again(
    runner: Runner, server: HBase, tiny: Spec, tmp_path: Path
) -> None:
    rows = [
        b"\x00",
        b"\xff\xfe",
        b"caf\xc3\xa9",
        b"caf\xe9",
        b"a\\x41",
        b"aA",
        b"new\nline",
        b" blank ",
        b"\xf0\x9f\x91\x9f",
    ]
    server.client.create("any-bytes", [b"b", b"\x80"])
    server.client.put("any-bytes", dict.fromkeys(rows, IMAGE))
    assert runner.run(spec_of(server, tiny, tmp_path / "all", "any-bytes"), uid="bytes").failure is None
    listed = keys(rows_of_folder(tmp_path / "all"))
    assert len(set(listed)) == len(rows)
    again = spec_of(server, tiny, tmp_path / "again", "any-bytes")
    again["source"]["keys"] = listed
    assert runner.run(again, uid="again").failure is None
    tables = rows_of_folder(tmp_path / "again")
    assert (keys(tables), tables.quarantine) == (listed, [])


def delete_rows(server: HBase, table: str) -> None:
    for number in range(300, 400):
        server.client.delete(table, f"{number:04}".encode())


CHANGES: dict[str, Callable[[HBase, str], None]] = {
    "moved": lambda server, table: server.client.reopen(table),
    "merged": lambda server, table: server.client.merge(table),
    "deleted": delete_rows,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_table_that_changes_mid_run_loses_no_other_row(
    change: str, runner: Runner, server: HBase, tiny: Spec, tmp_path: Path
) -> None:
    server.client.create(change, [b"0200"])
    server.client.put(change, {f"{number:04}".encode(): IMAGE for number in range(400)})
    server.client.flush(change)
    changed = threading.Event()

    def change_mid_run() -> None:
        while not list((tmp_path / "table").rglob("done/*.json")):
            time.sleep(0.01)
        CHANGES[change](server, change)
        changed.set()

    threading.Thread(target=change_mid_run, daemon=True).start()
    patient = runner.with_store_timeout(120)
    outcome = patient.run(spec_of(server, tiny, tmp_path / "table", change, shard=20), uid=change)
    assert outcome.failure is None, outcome.failure
    assert changed.wait(60)
    tables = rows_of_folder(tmp_path / "table")
    remaining = {f"{number:04}" for number in range(300 if change == "deleted" else 400)}
    assert remaining <= set(keys(tables))
    assert len(keys(tables)) == len(set(keys(tables))) <= 400
    assert tables.quarantine == []
