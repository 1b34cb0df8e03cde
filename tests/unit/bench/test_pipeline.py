"""How the pipeline benchmark evaluates its measurements."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from tests.bench.pipeline import measured
from tests.bench.pipeline.measured import RowFailed, Sample


def test_cpu_time_is_interpolated_between_samples() -> None:
    samples = [Sample(0, 0, 10), Sample(1, 2, 10), Sample(3, 4, 10)]
    assert [measured.at(samples, moment) for moment in (0, 0.5, 1, 2, 3, 9)] == [0, 1, 2, 3, 4, 4]


def test_equal_features_have_cosine_1_and_those_of_another_layer_0() -> None:
    features = {"a": np.array([1, 2], np.float32), "b": np.array([0, 3], np.float32)}
    assert measured.cosine(features, features) == pytest.approx(1)
    assert measured.cosine(features, {"a": np.array([1], np.float32)}) == 0


def test_only_finished_files_of_a_table_count(tmp_path: Path) -> None:
    for place in ("part-0.parquet", "_temporary/part-1.parquet", "0/.part.parquet", "0/part-2.parquet"):
        file = tmp_path / place
        file.parent.mkdir(exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.table({"key": ["x", "y"]}), file)
    assert {path.name for path in measured.tables(tmp_path)} == {"part-0.parquet", "part-2.parquet"}


PROGRAM = """
import pathlib, shutil, sys, time
folder = pathlib.Path(sys.argv[1])
folder.mkdir()
for index in range(3):
    end = time.process_time() + 0.3
    while time.process_time() < end: pass
    shutil.copy(sys.argv[2], folder / f"{index}.parquet")
"""


def test_speed_is_measured_from_the_first_file(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"key": list(range(30))}), tmp_path / "rows")
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "table"), str(tmp_path / "rows")]
    result = run(command, tmp_path)
    assert result.images == 90
    assert 20 < result.steady < 1.1 * 30 / 0.3
    assert result.cpu == pytest.approx(0.01, rel=0.3)
    assert 5 < result.peak < 500


def test_a_failed_program_reports_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(RowFailed, match="ValueError: no such net"):
        run([sys.executable, "-c", "raise ValueError('no such net')"], tmp_path)


def run(command: list[str], folder: Path) -> Any:
    return measured.run(command, folder / "table", folder / "log", {}, os.sched_getaffinity(0))


def test_files_that_end_three_at_a_time_do_not_seem_faster_than_they_are() -> None:
    files = [(10.0 * group + place / 100, 8) for group in range(1, 9) for place in range(3)]
    assert measured.slope(files) == pytest.approx(2.4, rel=0.03)
    assert measured.slope([(float(second), 5) for second in range(6)]) == pytest.approx(5)
