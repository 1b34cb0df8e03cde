"""An HBase snapshot is read from HBase's files: the server has been killed before these runs start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.integration.job import drawings
from tests.integration.job.runs import Runner, Spec, rows_of_folder
from tests.support.stores import hbase

ROWS = 40
LONG = 60


class Snapshots:
    """Files of a killed server: a snapshot of `catalog`, and one of `long`, which has a single region."""

    def __init__(self, folder: Path) -> None:
        self.images = {f"img-{number:04}": drawings.encoded(drawings.scene(seed=number)) for number in range(ROWS)}
        noise = np.random.default_rng(0).integers(0, 255, (240, 240, 3), np.uint8)
        with hbase.running(folder) as server:
            client = server.client
            client.create("catalog", [b"img-0010", b"img-0030"])
            client.put("catalog", {row.encode(): data for row, data in self.images.items()})
            client.flush("catalog")
            client.snapshot("catalog", "monday")
            client.put("catalog", {b"img-later": self.images["img-0000"]})
            client.create("long")
            client.put("long", {f"{number:03}".encode(): drawings.encoded(noise, ".png") for number in range(LONG)})
            client.snapshot("long", "long")
            client.create("mob", mob=100)
            client.put("mob", {row.encode(): data for row, data in list(self.images.items())[:3]})
            client.snapshot("mob", "mob")
            self.root_dir = server.root_dir


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshots]:
    yield Snapshots(tmp_path_factory.mktemp("hbase"))


def spec_of(snapshots: Snapshots, tiny: Spec, folder: Path, name: str = "monday", table: str = "catalog") -> Spec:
    snapshot = {"name": name, "rootDir": snapshots.root_dir, "restoreDir": f"file://{folder}/links"}
    column = f"{hbase.FAMILY}:{hbase.QUALIFIER}"
    return {
        "source": {"hbase": {"snapshot": snapshot, "table": table, "column": column}},
        **tiny,
        "output": {"uri": f"file://{folder}/table"},
        "execution": {"shardImages": 8},
    }


def test_a_snapshot_with_cells_in_files_of_their_own_is_refused(
    runner: Runner, snapshots: Snapshots, tiny: Spec, tmp_path: Path
) -> None:
    outcome = runner.run(spec_of(snapshots, tiny, tmp_path, "mob", "mob"), uid="mob")
    assert outcome.failure is not None
    assert (outcome.failure.class_, outcome.retryable) == ("SourceNotSupported", False), outcome.failure
    assert "snapshot mob holds MOB files" in outcome.failure.message and "read the table" in outcome.failure.message


def test_rows_come_from_the_snapshot_and_its_links_are_removed(
    runner: Runner, snapshots: Snapshots, tiny: Spec, tmp_path: Path
) -> None:
    outcome = runner.run(spec_of(snapshots, tiny, tmp_path))
    assert outcome.failure is None, outcome.failure
    assert sorted(row["key"] for row in rows_of_folder(tmp_path / "table").rows) == sorted(snapshots.images)
    assert list((tmp_path / "links").iterdir()) == []


def test_a_large_region_of_a_snapshot_is_split_into_shards(
    runner: Runner, snapshots: Snapshots, tiny: Spec, tmp_path: Path
) -> None:
    outcome = runner.run(spec_of(snapshots, tiny, tmp_path, "long", "long"))
    assert outcome.failure is None, outcome.failure
    assert len(rows_of_folder(tmp_path / "table").rows) == LONG
    assert outcome.progress is not None
    assert outcome.progress.shards_total is not None
    assert outcome.progress.shards_total > LONG / 16


@pytest.mark.parametrize(("name", "table"), [("tuesday", "catalog"), ("monday", "photos")])
def test_a_missing_snapshot_or_one_of_another_table_is_named(
    runner: Runner, snapshots: Snapshots, tiny: Spec, tmp_path: Path, name: str, table: str
) -> None:
    outcome = runner.run(spec_of(snapshots, tiny, tmp_path, name, table))
    assert outcome.failure is not None
    assert outcome.failure.class_ == "SourceNotFound"
    assert f"snapshot {name}" in outcome.failure.message
