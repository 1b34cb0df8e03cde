"""A folder stores files whole, and lets one of several writers create a file."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from featx_job.local_files import on_this_machine
from featx_job.table.storage.local import LocalStorage


def test_of_several_writers_of_a_file_one_succeeds(tmp_path: Path) -> None:
    storage = LocalStorage(on_this_machine(tmp_path, "spec.output.uri"))
    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda number: storage.create("log/0.json", b"%d" % number), range(8)))
    assert written.count(True) == 1
    assert storage.read("log/0.json") == b"%d" % written.index(True)
    assert [path.name for path in (tmp_path / "log").iterdir()] == ["0.json"]


def test_files_that_others_add_and_remove_hide_no_other_file(tmp_path: Path) -> None:
    storage = LocalStorage(on_this_machine(tmp_path, "spec.output.uri"))
    stay = [f"log/{number:03}.json" for number in range(50)]
    for path in stay:
        storage.write(path, b"1")
    ended = threading.Event()

    def change() -> None:
        while not ended.is_set():
            storage.write("log/025-other.json", b"2")
            storage.remove(["log/025-other.json"])

    with ThreadPoolExecutor(1) as pool:
        pool.submit(change)
        try:
            for _ in range(300):
                assert {file.path for file in storage.files("log")}.issuperset(stay)
        finally:
            ended.set()
