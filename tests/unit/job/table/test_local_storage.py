"""A folder stores files whole, and lets one of several writers create a file."""

from __future__ import annotations

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
