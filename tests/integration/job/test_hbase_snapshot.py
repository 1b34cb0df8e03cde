"""A snapshot of an HBase table is read from HBase's files: the server is dead while these runs happen."""

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


class Remains:
    """What a server that is dead has left: a snapshot of `catalog`, and one of `long`, which is one region."""

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
            self.root_dir = server.root_dir


@pytest.fixture(scope="module")
def remains(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remains]:
    yield Remains(tmp_path_factory.mktemp("hbase"))


def spec_of(remains: Remains, tiny: Spec, folder: Path, name: str = "monday", table: str = "catalog") -> Spec:
    snapshot = {"name": name, "rootDir": remains.root_dir, "restoreDir": f"file://{folder}/links"}
    column = f"{hbase.FAMILY}:{hbase.QUALIFIER}"
    return {
        "source": {"hbase": {"snapshot": snapshot, "table": table, "column": column}},
        **tiny,
        "output": {"uri": f"file://{folder}/table"},
        "execution": {"shardImages": 8},
    }


def test_rows_are_those_of_the_snapshot_and_no_links_are_left(
    runner: Runner, remains: Remains, tiny: Spec, tmp_path: Path
) -> None:
    outcome = runner.run(spec_of(remains, tiny, tmp_path))
    assert outcome.failure is None, outcome.failure
    assert sorted(row["key"] for row in rows_of_folder(tmp_path / "table").rows) == sorted(remains.images)
    assert list((tmp_path / "links").iterdir()) == []


def test_a_long_region_of_a_snapshot_is_cut(runner: Runner, remains: Remains, tiny: Spec, tmp_path: Path) -> None:
    outcome = runner.run(spec_of(remains, tiny, tmp_path, "long", "long"))
    assert outcome.failure is None, outcome.failure
    assert len(rows_of_folder(tmp_path / "table").rows) == LONG
    assert outcome.progress is not None
    assert outcome.progress.shards_total is not None
    assert outcome.progress.shards_total > LONG / 16


@pytest.mark.parametrize(("name", "table"), [("tuesday", "catalog"), ("monday", "photos")])
def test_a_snapshot_that_is_not_there_or_of_another_table_is_named(
    runner: Runner, remains: Remains, tiny: Spec, tmp_path: Path, name: str, table: str
) -> None:
    outcome = runner.run(spec_of(remains, tiny, tmp_path, name, table))
    assert outcome.failure is not None
    assert outcome.failure.class_ == "SourceNotFound"
    assert f"snapshot {name}" in outcome.failure.message
