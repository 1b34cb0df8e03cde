"""A table in Delta Lake's format is read as one by a library that is not ours, on each kind of output."""

from __future__ import annotations

import io
from pathlib import Path

import deltalake
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec
from tests.integration.job.store import ADMIN, Store

NAMES = [f"{number:03}.jpg" for number in range(20)]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        (folder / name).write_bytes(drawings.encoded(drawings.scene(seed=number)) if number else b"no picture")
    return folder


def spec_of(pictures: Path, tiny: Spec, output: Spec) -> Spec:
    return {
        "source": {"files": {"uri": f"file://{pictures}"}},
        **tiny,
        "output": {"format": "delta", **output},
        "execution": {"shardPictures": 6},
    }


def test_a_delta_table_has_the_rows_and_columns_of_its_files(
    runner: Runner, tiny: Spec, pictures: Path, tmp_path: Path
) -> None:
    outcome = runner.run(spec_of(pictures, tiny, {"uri": f"file://{tmp_path}/table"}), "uid-delta")
    assert outcome.failure is None, outcome.failure
    table = deltalake.DeltaTable(tmp_path / "table")
    assert (table.version(), table.transaction_version("uid-delta")) == (0, 0)
    query = deltalake.QueryBuilder().register("t", table).execute("SELECT key, feature, bits FROM t WHERE x0 >= 0")
    assert sorted(arrow.table(query.read_all())["key"].to_pylist()) == NAMES[1:]
    plain = parquet.read_table(tmp_path / "table").sort_by("key")
    assert table.to_pyarrow_table().sort_by("key").cast(plain.schema) == plain
    assert table.count() == len(NAMES) - 1  # by the log alone


def test_a_delta_table_in_a_bucket_is_read_there(runner: Runner, store: Store, tiny: Spec, pictures: Path) -> None:
    store.put("delta", {})
    access = {"endpoint": store.endpoint, "secretRef": {"name": "store"}}
    assert runner.run(spec_of(pictures, tiny, {"uri": "s3://delta/table", "s3": access}), "uid").failure is None
    reached = {"AWS_ENDPOINT_URL": store.endpoint, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}
    known_as = {"AWS_ACCESS_KEY_ID": ADMIN[0], "AWS_SECRET_ACCESS_KEY": ADMIN[1]}
    table = deltalake.DeltaTable("s3://delta/table", storage_options=reached | known_as)
    assert sorted(table.to_pyarrow_table()["key"].to_pylist()) == NAMES[1:]
    assert parquet.read_table(io.BytesIO(store.get("delta", "table/part-00000.parquet"))).num_rows == 5


def test_a_delta_table_that_is_there_already_is_not_written_over(
    runner: Runner, tiny: Spec, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "table" / "_delta_log").mkdir(parents=True)
    (tmp_path / "table" / "_delta_log" / f"{0:020}.json").write_text("{}")
    outcome = runner.run(spec_of(pictures, tiny, {"uri": f"file://{tmp_path}/table"}), "uid-delta")
    assert outcome.failure is not None
    assert outcome.failure.class_ == "OutputExists"
