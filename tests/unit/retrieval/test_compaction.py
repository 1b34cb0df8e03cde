"""A table of many small files becomes one of a few, with the same rows."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from featx_cli.__main__ import main
from featx_retrieval import compaction
from featx_retrieval.table import TableError


def table(folder: Path, files: int) -> Path:
    """Write a table of so many files with one row each."""
    for number in range(files):
        row = {"key": [f"{number:03}.jpg"], "feature": [[float(number), 0.5]]}
        write_deltalake(folder, pa.table(row), mode="append")
    return folder


def rows(folder: Path) -> list[str]:
    return sorted(json.dumps(row) for row in DeltaTable(folder).to_pyarrow_table().to_pylist())


def test_small_files_are_joined_and_rows_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = rows(table(tmp_path, 12))
    assert main(["compact", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "12 files are 1 now: 12 were joined into 1\n"
    assert rows(tmp_path) == before
    assert len(DeltaTable(tmp_path).file_uris()) == 1
    assert main(["compact", f"file://{tmp_path}"]) == 0
    assert capsys.readouterr().out == "nothing to do: 1 files, and no two of them fit into one\n"


def test_keys_can_be_looked_up_by_the_statistics_of_the_joined_file(tmp_path: Path) -> None:
    compaction.compact(str(table(tmp_path, 3)))
    (file,) = pa.table(DeltaTable(tmp_path).get_add_actions(flatten=True)).to_pylist()
    assert (file["min.key"], file["max.key"], file["num_records"]) == ("000.jpg", "002.jpg", 3)


def test_files_of_the_last_days_stay_for_readers_of_earlier_versions(tmp_path: Path) -> None:
    done = compaction.compact(str(table(tmp_path, 3)), remove=True)
    assert done == (3, 3, 1, 0)
    assert len(list(tmp_path.glob("*.parquet"))) == 4


def test_what_is_no_delta_table_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TableError, match="has no Delta log"):
        compaction.compact(str(tmp_path))
    assert main(["compact", "hdfs://namenode/table"]) == 2
    assert "only folders, file:/// and s3:// can be compacted" in capsys.readouterr().err
    assert main(["compact", str(tmp_path), "--file-size", "0"]) == 2
